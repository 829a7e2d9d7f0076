use std::cell::Cell;

use crate::error::Result;
use crate::store::shared_memory::failure::corrupt;
use crate::store::shared_memory::geometry::at;
use crate::store::shared_memory::words::Words;

/// A change of the words that is done whole or not at all, also where this process is killed in the middle of it.
///
/// Before a word is overwritten, its old value is written into the journal, and then how many there are; at the end that
/// number goes back to 0. Whoever gets the lock and finds another number puts the old values back, the last first: its owner
/// died in between. Only that is provided for, and no loss of power: the words are in memory.
///
/// A change that is dropped before it is committed is undone.
pub(super) struct Change<'w, W: Words + ?Sized> {
    words: &'w W,
    noted: Cell<u64>,
    /// Something did not go into the journal, and was not done.
    is_too_long: Cell<bool>,
}

impl<'w, W: Words + ?Sized> Change<'w, W> {
    /// The most words that a change may overwrite.
    pub(super) const MOST: u64 = 1000;
    const FIRST: u64 = at::JOURNAL + 1;

    /// Begins a change. If another one was never finished, it is undone first.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the journal is not one.
    #[inline(always)]
    pub(super) fn begin(words: &'w W) -> Result<Self> {
        let left = words.load(at::JOURNAL);
        if left != 0 {
            undo(words, left)?;
        }
        Ok(Self { words, noted: Cell::new(0), is_too_long: Cell::new(false) })
    }

    #[inline(always)]
    pub(super) fn get(&self, at: u64) -> u64 {
        self.words.load(at)
    }

    /// Overwrites a word, once its old value is noted.
    #[inline(always)]
    pub(super) fn set(&self, at: u64, word: u64) {
        let old = self.words.load(at);
        if old != word && self.note(at, old) {
            self.words.store(at, word);
        }
    }

    /// Lets a word be overwritten by [`fill`](Self::fill), and be there again if the change is undone.
    pub(super) fn keep(&self, at: u64) {
        self.note(at, self.words.load(at));
    }

    #[inline(always)]
    fn note(&self, at: u64, old: u64) -> bool {
        let noted = self.noted.get();
        if noted == Self::MOST {
            self.is_too_long.set(true);
            return false;
        }
        let entry = Self::FIRST + 2 * noted;
        self.words.store(entry, at);
        self.words.store(entry + 1, old);
        self.noted.set(noted + 1);
        self.words.store(at::JOURNAL, noted + 1);
        true
    }

    /// Overwrites a word that nobody looks at unless the change is committed.
    #[inline(always)]
    pub(super) fn fill(&self, at: u64, word: u64) {
        self.words.store(at, word);
    }

    /// The change holds from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if it was longer than any can be where nothing is damaged; then
    /// it is undone.
    #[inline(always)]
    pub(super) fn commit(self) -> Result<()> {
        if self.is_too_long.get() {
            return Err(corrupt("a change of it finds no end"));
        }
        if self.noted.take() > 0 {
            self.words.store(at::JOURNAL, 0);
        }
        Ok(())
    }
}

impl<W: Words + ?Sized> Drop for Change<'_, W> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.noted.get() > 0 {
            // The journal is our own, and in order; if a stranger has written into it, the next one says so.
            let _ = undo(self.words, self.noted.get());
        }
    }
}

#[cold]
fn undo<W: Words + ?Sized>(words: &W, noted: u64) -> Result<()> {
    let journal = at::JOURNAL..at::CHAINS;
    let entry = |nth| Change::<W>::FIRST + 2 * nth;
    let is_word =
        |nth| (at::ANCHOR..words.len()).contains(&words.load(entry(nth))) && !journal.contains(&words.load(entry(nth)));
    if noted > Change::<W>::MOST || !(0..noted).all(is_word) {
        return Err(corrupt("its journal speaks of words that are not there"));
    }
    for nth in (0..noted).rev() {
        words.store(words.load(entry(nth)), words.load(entry(nth) + 1));
    }
    words.store(at::JOURNAL, 0);
    Ok(())
}
