use crate::sync::{MappedWord, Ordering};

/// The words of a mapped file, or what stands in for them in tests.
///
/// Whoever reads or writes holds the lock of the file: the words are atomic because another process may be killed at any
/// instruction, and because nothing keeps a stranger from writing into the file.
pub(super) trait Words {
    fn len(&self) -> u64;

    /// The word at this place; 0 beyond the end, which nobody asks for who has checked what was read.
    fn load(&self, at: u64) -> u64;

    /// Puts a word at this place. What was stored before is there first, for whoever looks after this process was killed.
    fn store(&self, at: u64, word: u64);
}

impl Words for [MappedWord] {
    #[inline(always)]
    fn len(&self) -> u64 {
        <[_]>::len(self) as u64
    }

    #[inline(always)]
    fn load(&self, at: u64) -> u64 {
        let word = usize::try_from(at).ok().and_then(|at| self.get(at));
        word.map_or(0, |word| word.load(Ordering::Relaxed))
    }

    #[inline(always)]
    fn store(&self, at: u64, word: u64) {
        if let Some(place) = usize::try_from(at).ok().and_then(|at| self.get(at)) {
            place.store(word, Ordering::Release);
        }
    }
}
