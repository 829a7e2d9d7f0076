use std::ops::Range;

use crate::error::Result;
use crate::store::bucket::{Kind, head};
use crate::store::shared_memory::arena::{Arena, Block, Use};
use crate::store::shared_memory::failure::corrupt;
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::words::Words;

/// Where things stand in a slot, in words from its beginning. What a decision writes (place and length of the log, time and
/// sequence) lies in one cache line.
pub(super) mod at {
    /// The next slot of its chain.
    pub(crate) const NEXT: u64 = 1;
    pub(crate) const HASH: u64 = 2;
    /// The key's length in bytes, and the head's in words above it.
    pub(crate) const LENGTHS: u64 = 3;
    /// The block of the log: its place, and below that its order.
    pub(crate) const LOG: u64 = 4;
    /// Units of the log that were dropped: its running totals begin from here.
    pub(crate) const BASE: u64 = 5;
    /// Where in its block the oldest event lies.
    pub(crate) const START: u64 = 6;
    /// Units up to and with the newest event, from the same beginning.
    pub(crate) const END: u64 = 8;
    /// How many events there are.
    pub(crate) const COUNT: u64 = 9;
    pub(crate) const HEAD: u64 = 10;
    /// All that leads to the log.
    pub(crate) const OF_THE_LOG: [u64; 5] = [LOG, BASE, START, END, COUNT];
}

/// A block with all of a bucket but its log: key and head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) block: Block,
    pub(super) head_len: u64,
    key_len: u64,
}

impl Slot {
    const KEY_BITS: u32 = 32;
    /// The numbers of a head that few decisions look at stand behind the key, so that the others lie in fewer cache lines.
    const RARE: Range<u64> = head::FLOOR as u64..head::RATES as u64;

    /// The slot at this place.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if it is none.
    #[inline(always)]
    pub(super) fn read<W: Words + ?Sized>(change: &Change<'_, W>, arena: &Arena<'_, '_, W>, at: u64) -> Result<Self> {
        let block = arena.block(at, Use::Bucket)?;
        let lengths = change.get(at + at::LENGTHS);
        let slot = Self { block, head_len: lengths >> Self::KEY_BITS, key_len: lengths & ((1 << Self::KEY_BITS) - 1) };
        if slot.head_len < Self::RARE.end || slot.words() > block.words() {
            return Err(corrupt("a slot of it is not as long as its block"));
        }
        Ok(slot)
    }

    /// How many words a slot takes.
    pub(super) const fn words_for(head_len: u64, key: &str) -> u64 {
        at::HEAD + head_len + (key.len() as u64).div_ceil(8)
    }

    const fn words(&self) -> u64 {
        at::HEAD + self.head_len + self.key_len.div_ceil(8)
    }

    /// Writes a slot into a block that was taken in this change. It is in no chain yet and has no log.
    pub(super) fn fill<W: Words + ?Sized>(
        change: &Change<'_, W>,
        block: Block,
        hash: u64,
        key: &str,
        head: &[u64],
    ) -> Self {
        let slot = Self { block, head_len: head.len() as u64, key_len: key.len() as u64 };
        change.fill(block.at + at::HASH, hash);
        change.fill(block.at + at::LENGTHS, slot.head_len << Self::KEY_BITS | slot.key_len);
        change.fill(block.at + at::NEXT, 0);
        for empty in at::OF_THE_LOG {
            change.fill(block.at + empty, 0);
        }
        let key = key.as_bytes().chunks(8).map(word_of);
        for (place, word) in (slot.key_at()..).zip(key) {
            change.fill(place, word);
        }
        for (nth, word) in (0..).zip(head) {
            change.fill(slot.head(nth), *word);
        }
        slot
    }

    /// Where this number of the head stands.
    #[inline(always)]
    pub(super) const fn head(&self, nth: u64) -> u64 {
        let Range { start, end } = Self::RARE;
        if nth < start {
            self.block.at + at::HEAD + nth
        } else if nth < end {
            self.key_at() + self.key_len.div_ceil(8) + (nth - start)
        } else {
            self.block.at + at::HEAD + start + (nth - end)
        }
    }

    /// Where the key begins.
    #[inline(always)]
    const fn key_at(&self) -> u64 {
        self.block.at + at::HEAD + self.head_len - (Self::RARE.end - Self::RARE.start)
    }

    /// Whether this is the slot of this key.
    #[inline(always)]
    pub(super) fn is_of<W: Words + ?Sized>(&self, change: &Change<'_, W>, hash: u64, key: &str) -> bool {
        if change.get(self.block.at + at::HASH) != hash || self.key_len != key.len() as u64 {
            return false;
        }
        for (place, chunk) in (self.key_at()..).zip(key.as_bytes().chunks(8)) {
            if change.get(place) != word_of(chunk) {
                return false;
            }
        }
        true
    }

    pub(super) fn key<W: Words + ?Sized>(&self, change: &Change<'_, W>) -> Result<String> {
        let first = self.key_at();
        let mut bytes: Vec<u8> =
            (first..first + self.key_len.div_ceil(8)).flat_map(|place| change.get(place).to_le_bytes()).collect();
        bytes.truncate(usize::try_from(self.key_len).unwrap_or(usize::MAX));
        String::from_utf8(bytes).map_err(|_| corrupt("a key in it is no text"))
    }

    /// The numbers of the head, if they are as many as the first of them says.
    pub(super) fn numbers<W: Words + ?Sized>(&self, change: &Change<'_, W>) -> Result<Vec<u64>> {
        self.check(change)?;
        Ok((0..self.head_len).map(|nth| change.get(self.head(nth))).collect())
    }

    /// Whether the head is as long as its first number says.
    #[inline(always)]
    pub(super) fn check<W: Words + ?Sized>(&self, change: &Change<'_, W>) -> Result<Kind> {
        let kind = Kind::of(change.get(self.head(0)))?;
        if kind.head_len() as u64 == self.head_len {
            Ok(kind)
        } else {
            Err(corrupt("a bucket in it is not as long as it says"))
        }
    }
}

/// Up to eight bytes as a word. What overlaps is the same in both halves; copying them to where a word is read from would
/// take longer than all else that is done with a key.
#[inline(always)]
fn word_of(bytes: &[u8]) -> u64 {
    let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let length = bytes.len();
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => half(first) | half(last) << (8 * (length - 4)),
        _ if length == 0 => 0,
        _ => [0, length / 2, length - 1].into_iter().fold(0, |word, nth| word | u64::from(bytes[nth]) << (8 * nth)),
    }
}
