use crate::error::{Error, ErrorKind, Result};

/// Where things stand in the file, in words of eight bytes. Parts that are written at every decision do not share a cache
/// line with those that are only read.
pub(super) mod at {
    pub(crate) const MAGIC: u64 = 0;
    pub(crate) const LAYOUT: u64 = 1;
    pub(crate) const WORDS: u64 = 2;
    pub(crate) const SECRET: u64 = 3;
    pub(crate) const ANCHOR: u64 = 8;
    /// How many buckets there are.
    pub(crate) const BUCKETS: u64 = 16;
    /// Where the search for idle buckets goes on.
    pub(crate) const SWEEP: u64 = 17;
    /// The first free block of each order.
    pub(crate) const FREE: u64 = 24;
    pub(crate) const JOURNAL: u64 = 64;
    pub(crate) const CHAINS: u64 = JOURNAL + 2048;
}

/// How a file of so many words is divided: fixed parts, chains of the table, and blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// All words.
    pub(super) words: u64,
    /// Chains of the table, a power of two.
    pub(super) chains: u64,
    /// The first word of the blocks.
    pub(super) base: u64,
    /// The first word after them.
    pub(super) end: u64,
}

impl Geometry {
    pub(super) const SMALLEST_BYTES: u64 = 64 * 1024;
    pub(super) const LARGEST_BYTES: u64 = 1 << 40;
    /// A bucket takes at least so many words, so that a chain has a bucket or two where the file is full.
    const WORDS_A_CHAIN: u64 = 32;
    /// A cache line.
    const LINE: u64 = 8;

    pub(super) fn of(words: u64) -> Self {
        let chains = (words / Self::WORDS_A_CHAIN).max(1);
        let chains = 1 << chains.ilog2();
        let base = (at::CHAINS + chains).next_multiple_of(Self::LINE).min(words);
        Self { words, chains, base, end: base + (words - base) / Self::LINE * Self::LINE }
    }

    /// How many words a file of this size has.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a size that cannot be.
    pub(super) fn words_of(bytes: u64) -> Result<u64> {
        if (Self::SMALLEST_BYTES..=Self::LARGEST_BYTES).contains(&bytes) {
            return Ok(bytes / 8);
        }
        Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "the size of shared memory is {bytes} bytes; it must be at least 64 KiB and at most 1 TiB, like size=64MiB"
            ),
        ))
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.words * 8
    }

    /// The chain of this hash.
    #[inline(always)]
    pub(super) const fn chain(&self, hash: u64) -> u64 {
        at::CHAINS + (hash & (self.chains - 1))
    }
}
