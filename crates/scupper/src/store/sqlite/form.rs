//! A bucket as its row has it.

use crate::algorithm::Totals;
use crate::error::Result;
use crate::store::bucket::{Kind, Place, corrupt, head};
use crate::store::sqlite::packed::{Unpacked, push, push_events};

/// The numbers of a bucket but for its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head(pub(super) Vec<u64>);

/// What a row knows of a log: its newest events, and how much came before them. All units are counted from the same
/// beginning, which is of no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Newest {
    /// Units up to here are no longer in the log, though their chunk may still be there.
    pub(super) dropped: u64,
    /// Units up to here lie in chunks.
    pub(super) chunked: u64,
    /// The tick of each event and all units up to and with it, the oldest first.
    pub(super) events: Vec<(u64, u64)>,
}

impl Head {
    pub(super) fn kind(&self) -> Result<Kind> {
        Kind::of(self.get(head::KIND))
    }

    /// Nothing was ever reset, nor has the clock stepped back: it is settled from when it is idle.
    pub(super) fn has_no_floor(&self) -> bool {
        self.get(head::FLOOR) == 0
    }

    /// From when on the log of this head may be forgotten, once it was charged at the high-water mark.
    pub(super) fn idle_from(&self) -> u64 {
        let rates = self.0.get(head::RATES..).unwrap_or_default().chunks_exact(head::NUMBERS_OF_A_RATE);
        let longest = rates.map(|rate| rate[1]).max().unwrap_or_default();
        let retention = longest.max(self.get(head::RETENTION));
        let free_at = self.get(head::HIGH_WATER).saturating_add(retention).saturating_add(1);
        free_at.max(self.get(head::HELD_UNTIL))
    }
}

impl Place for Head {
    #[inline]
    fn get(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or_default()
    }

    #[inline]
    fn set(&mut self, at: usize, number: u64) {
        if let Some(place) = self.0.get_mut(at) {
            *place = number;
        }
    }
}

impl Newest {
    /// All units up to the last event.
    pub(super) fn end(&self) -> u64 {
        self.events.last().map_or(self.chunked, |(_, total)| *total)
    }

    /// Whether chunks are a part of the log.
    pub(super) fn has_chunks(&self) -> bool {
        self.chunked > self.dropped
    }

    /// Forgets events before this tick, unless older ones lie in chunks.
    pub(super) fn forget_before(&mut self, tick: u64) {
        if !self.has_chunks() {
            let old = self.events.partition_point(|event| event.0 < tick);
            if let Some(&(_, total)) = old.checked_sub(1).and_then(|last| self.events.get(last)) {
                (self.dropped, self.chunked) = (total, total);
                self.events.drain(..old);
            }
        }
    }
}

/// The numbers of a row in few bytes.
pub(super) fn pack(head: &Head, newest: &Newest) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + 8 * newest.events.len());
    for number in &head.0 {
        push(&mut out, *number);
    }
    push(&mut out, newest.dropped);
    push(&mut out, newest.chunked);
    push_events(&mut out, newest.chunked, &newest.events);
    out
}

/// What [`pack`] made the bytes of.
pub(super) fn unpack(bytes: &[u8]) -> Result<(Head, Newest)> {
    let (head, mut rest) = unpack_head(bytes)?;
    let (dropped, chunked) = (rest.next()?, rest.next()?);
    if dropped > chunked {
        return Err(corrupt("its log ends before it begins"));
    }
    let newest = Newest { dropped, chunked, events: rest.events(chunked)? };
    if newest.end() > Totals::HIGHEST {
        return Err(corrupt("its log has more units than can be counted"));
    }
    Ok((head, newest))
}

/// The head alone, and the rest.
pub(super) fn unpack_head(bytes: &[u8]) -> Result<(Head, Unpacked<'_>)> {
    let mut rest = Unpacked(bytes);
    let first = rest.next()?;
    let length = Kind::of(first)?.head_len();
    // A number takes a byte at least.
    if length > bytes.len() {
        return Err(corrupt("it is cut off"));
    }
    let mut head = Vec::with_capacity(length);
    head.push(first);
    for _ in 1..length {
        head.push(rest.next()?);
    }
    Ok((Head(head), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{Algorithm, Quota};
    use crate::store::bucket::BucketState;
    use crate::time::Timestamp;

    fn head() -> Head {
        let quota = Quota::new(Algorithm::default(), "5/h").unwrap();
        Head(BucketState::new(&quota, Timestamp::from_micros(1)).to_numbers().head)
    }

    #[test]
    fn numbers_of_a_row_come_back_as_they_were_up_to_the_highest_total() {
        let events = vec![(1, 8), (9, Totals::HIGHEST)];
        for newest in [Newest { dropped: 5, chunked: 7, events }, Newest::default()] {
            assert_eq!(unpack(&pack(&head(), &newest)).unwrap(), (head(), newest));
        }
    }

    #[test]
    fn totals_that_no_log_has_are_corrupt() {
        let above = Totals::HIGHEST + 1;
        for newest in [
            Newest { dropped: 0, chunked: 0, events: vec![(1, above)] },
            Newest { dropped: above, chunked: above, events: Vec::new() },
            Newest { dropped: 0, chunked: above, events: vec![(1, u64::MAX)] },
            Newest { dropped: 8, chunked: 7, events: vec![(1, 9)] },
        ] {
            let error = unpack(&pack(&head(), &newest)).unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::Corrupt, "{newest:?}");
        }
    }
}
