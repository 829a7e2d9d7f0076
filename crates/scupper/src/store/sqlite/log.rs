use crate::error::Result;
use crate::store::bucket::{Log, corrupt};
use crate::store::sqlite::chunks::Chunks;
use crate::store::sqlite::form::Newest;

/// The log of a bucket where it lies: the newest events beside the head, older ones in chunks.
#[derive(Debug)]
pub(super) struct RowLog<'a> {
    pub(super) newest: &'a mut Newest,
    pub(super) chunks: Chunks<'a>,
}

/// Above this a log is counted anew.
const HIGHEST: u64 = 1 << 61;

impl Newest {
    /// So many events lie beside the head, or a few more.
    pub(super) const MOST: usize = 64;

    /// Whether so many units more are certain to be counted right.
    pub(super) fn can_count(&self, weight: u64) -> bool {
        self.end().saturating_add(weight) < HIGHEST
    }

    /// Has older events written to chunks, so that no more than [`MOST`](Self::MOST) lie here.
    pub(super) fn shorten(&mut self, chunks: Chunks<'_>) -> Result<()> {
        let events = self.events.len();
        if events > Self::MOST {
            // In whole chunks, and half of the room stays free.
            let surplus = (events - Self::MOST / 2) / Chunks::EVENTS * Chunks::EVENTS;
            let (older, _) = self.events.split_at(surplus);
            chunks.push(older)?;
            self.chunked = older.last().map_or(self.chunked, |(_, total)| *total);
            self.events.drain(..surplus);
        }
        Ok(())
    }
}

impl RowLog<'_> {
    /// Units that were counted at this tick or later, found by halving.
    pub(super) fn units_from(&mut self, tick: u64) -> Result<u64> {
        let units = self.units();
        // So many are certainly earlier, and all after so many are not.
        let (mut earlier, mut later) = (0, units);
        while earlier < later {
            let middle = earlier + (later - earlier).div_ceil(2);
            if self.tick_of(middle)? < tick {
                earlier = middle;
            } else {
                later = middle - 1;
            }
        }
        Ok(units - earlier)
    }
}

impl Log for RowLog<'_> {
    fn units(&self) -> u64 {
        self.newest.end().saturating_sub(self.newest.dropped)
    }

    fn tick_of(&mut self, nth: u64) -> Result<u64> {
        let unit = self.newest.dropped.saturating_add(nth);
        let find = |events: &[(u64, u64)]| {
            let event = events.partition_point(|(_, total)| *total < unit);
            events.get(event).map(|(tick, _)| *tick).ok_or_else(|| corrupt("a part of its log is missing"))
        };
        if unit <= self.newest.chunked { find(&self.chunks.with_unit(unit)?) } else { find(&self.newest.events) }
    }

    fn append(&mut self, tick: u64, weight: u64, keep_from: u64) -> Result<()> {
        self.newest.forget_before(keep_from);
        if let Some(last) = self.newest.events.last_mut()
            && last.0 == tick
        {
            last.1 += weight;
            return Ok(());
        }
        let total = self.newest.end() + weight;
        self.newest.events.push((tick, total));
        if self.newest.events.len() > Newest::MOST {
            self.newest.shorten(self.chunks)?;
            if let Some(upto) = self.chunks.remove_before(keep_from)? {
                self.newest.dropped = self.newest.dropped.max(upto);
            }
        }
        Ok(())
    }
}
