//! How a file begins: a page that tells what it is. Then come the user's words.

use std::sync::atomic::{AtomicU64, Ordering};

/// Length of the header in bytes. The words begin at this offset.
pub(super) const HEADER: usize = 4096;
/// Files are as long as a whole number of these.
const PAGE: usize = 4096;
/// Bytes of a word.
const WORD: usize = size_of::<AtomicU64>();
/// Bytes of the header that say what the file is.
pub(super) const TELLING: usize = FIELDS * WORD;
/// Where the lock word is: apart from what everybody reads, so that they do not share a cache line.
pub(super) const LOCK_WORD: usize = 128;
/// The longest file. The locks that seats are lie beyond.
pub(super) const LONGEST: usize = 1 << 40;

const FIELDS: usize = 5;
const MAGIC: u64 = u64::from_ne_bytes(*b"\x89scupmap");
const VERSION: u64 = 1;

/// How many words a file has. What can be told of a file follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    words: usize,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    Foreign,
    TooShort,
    Version(u64),
    Damaged,
}

impl Geometry {
    /// None if a file with so many words would be longer than a file may be.
    pub(super) fn new(words: usize) -> Option<Self> {
        let length = words.checked_mul(WORD)?.checked_add(HEADER)?.checked_next_multiple_of(PAGE)?;
        (length <= LONGEST).then_some(Self { words })
    }

    pub(super) fn words(self) -> usize {
        self.words
    }

    /// Length of the file in bytes.
    pub(super) fn length(self) -> usize {
        (HEADER + self.words * WORD).next_multiple_of(PAGE)
    }

    /// What the header says of a file with these words.
    fn fields(self) -> [u64; FIELDS] {
        let [length, words] = [self.length() as u64, self.words as u64];
        [MAGIC, VERSION, length, words, check(&[MAGIC, VERSION, length, words])]
    }

    /// Writes the header down.
    pub(super) fn write(self, header: &[AtomicU64]) {
        for (word, field) in header.iter().zip(self.fields()) {
            word.store(field, Ordering::Relaxed);
        }
    }

    /// Reads what [`write`](Self::write) wrote, and believes nothing else. `bytes` are as many as the file begins with.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        let magic = MAGIC.to_ne_bytes();
        if !bytes.iter().zip(magic).all(|(byte, right)| *byte == right) {
            return Err(Flaw::Foreign);
        }
        let (words, _) = bytes.as_chunks::<WORD>();
        let [_, version, _, words, ..] = words else { return Err(Flaw::TooShort) };
        let [version, words] = [version, words].map(|bytes| u64::from_ne_bytes(*bytes));
        if version != VERSION {
            return Err(Flaw::Version(version));
        }
        let geometry = usize::try_from(words).ok().and_then(Self::new).ok_or(Flaw::Damaged)?;
        let as_written = geometry.fields().map(u64::to_ne_bytes);
        (bytes.get(..TELLING) == Some(as_written.as_flattened())).then_some(geometry).ok_or(Flaw::Damaged)
    }
}

/// FNV-1a over the words: a flipped bit anywhere changes it.
fn check(fields: &[u64]) -> u64 {
    fields.iter().fold(0xcbf2_9ce4_8422_2325, |sum, field| (sum ^ field).wrapping_mul(0x0100_0000_01b3))
}
