//! Ways in which rows may have a bucket.

use crate::store::bucket::{BucketState, Numbers};
use crate::store::postgres::differential::rows::{Chunk, Rows};

/// How a log is laid into rows: any way in which others may have done it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// So many events lie beside the head.
    pub(super) recent: usize,
    /// So many in a chunk.
    pub(super) chunk: usize,
    /// Units before the first event.
    pub(super) base: u64,
    /// The first chunk also has so many events that do not count any more.
    pub(super) gone: usize,
    /// The number of the first chunk.
    pub(super) first: u64,
    /// The ring is twice as long as it need be, so often over.
    pub(super) spare: u32,
}

impl Layout {
    /// Nothing out of the ordinary.
    pub(super) const PLAIN: Self = Self { recent: 16, chunk: 64, base: 0, gone: 0, first: 0, spare: 0 };

    pub(super) fn rows(&self, bucket: &BucketState) -> Rows {
        let Numbers { head, events, .. } = bucket.to_numbers();
        let base = self.base + self.gone as u64;
        let events: Vec<(u64, u64)> = events.iter().map(|(tick, total)| (*tick, total + base)).collect();
        let older = events.len() - self.recent.min(events.len());
        let recent = events[older..].to_vec();
        let mut rows =
            Rows { idle_from: bucket.idle_from().as_micros(), head, recent, base, spilled: base, ..Rows::default() };
        (rows.first, rows.last) = (self.first, self.first);
        for events in events[..older].chunks(self.chunk) {
            rows.chunks.push(Chunk { slot: 0, number: rows.last, starts: rows.spilled, events: events.to_vec() });
            rows.spilled = events.last().unwrap().1;
            rows.last += 1;
        }
        if let Some(chunk) = rows.chunks.first_mut() {
            let tick = chunk.events[0].0;
            let gone = (0..self.gone.min(64 - chunk.events.len().min(64))).map(|nth| (tick, base - nth as u64));
            let mut gone: Vec<(u64, u64)> = gone.collect();
            gone.reverse();
            chunk.starts -= gone.len() as u64;
            chunk.events.splice(0..0, gone);
        }
        rows.in_last = rows.chunks.last().map_or(0, |chunk| chunk.events.len());
        if !rows.chunks.is_empty() {
            rows.slots = (rows.chunks.len() as u64).next_power_of_two() << self.spare;
        }
        rows.chunks.iter_mut().for_each(|chunk| chunk.slot = chunk.number & (rows.slots - 1));
        rows
    }
}
