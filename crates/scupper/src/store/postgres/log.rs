use crate::error::Result;
use crate::store::bucket::corrupt;

/// The log of a bucket as its rows have it. All totals are counted from the same beginning, which is of no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// Units up to here are no longer in the log, though their chunk may still be there.
    pub(super) base: u64,
    /// Units up to here lie in chunks, or are gone.
    pub(super) spilled: u64,
    /// The numbers of the chunks: from the first on, and before the last.
    pub(super) first: i64,
    pub(super) last: i64,
    /// For so many chunks there is room, a power of two or none: each lies in the slot of its number's last bits.
    pub(super) slots: i32,
    pub(super) chunks: Vec<Chunk>,
    /// The newest events.
    pub(super) recent: Vec<(u64, u64)>,
}

/// Some older events of a log: of each, its tick and all units up to and with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) number: i64,
    /// All units before its first event.
    pub(super) starts: u64,
    pub(super) events: Vec<(u64, u64)>,
}

/// Where the events of a log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Laid {
    pub(super) log: Log,
    /// The chunks from this number on are to be written.
    pub(super) write_from: i64,
    /// Whether the rows of all chunks that are there are to go first.
    pub(super) wipe: bool,
}

impl Log {
    /// So many events lie beside the head.
    pub(super) const RECENT: usize = 16;
    /// So many events make a chunk.
    const CHUNK: usize = 64;
    /// So many stay beside the head when others have moved to chunks.
    const STAY: usize = 8;
    /// The function counts below 2^61; long before that, all is counted anew.
    const HIGHEST: u64 = 1 << 52;

    fn known(&self) -> impl Iterator<Item = (u64, u64)> {
        let all = self.chunks.iter().flat_map(|chunk| &chunk.events).chain(&self.recent).copied();
        all.filter(|(_, total)| *total > self.base)
    }

    /// The tick of each event and all units up to and with it, the oldest first.
    pub(super) fn events(&self) -> Result<Vec<(u64, u64)>> {
        let numbers = self.chunks.iter().map(|chunk| chunk.number);
        let end = self.chunks.last().map_or(Some(self.base), |chunk| chunk.events.last().map(|(_, total)| *total));
        if !numbers.eq(self.first..self.last) || end != Some(self.spilled) {
            return Err(corrupt("a part of its log is missing"));
        }
        Ok(self.known().map(|(tick, total)| (tick, total.saturating_sub(self.base))).collect())
    }

    /// In the last chunk.
    pub(super) fn in_last(&self) -> usize {
        self.chunks.last().map_or(0, |chunk| chunk.events.len())
    }

    /// These events in place of those that are there, as [`events`](Self::events) has them.
    pub(super) fn lay(&self, events: &[(u64, u64)]) -> Laid {
        self.go_on(events).unwrap_or_else(|| self.anew(events))
    }

    /// With the chunks as they are whose events are all among them.
    fn go_on(&self, events: &[(u64, u64)]) -> Option<Laid> {
        let (oldest, _) = events.first()?;
        let gone = self.known().take_while(|(tick, _)| tick < oldest).last();
        let base = gone.map_or(self.base, |(_, total)| total);
        let counted: Option<Vec<_>> =
            events.iter().map(|(tick, units)| Some((*tick, units.checked_add(base)?))).collect();
        let counted = counted.filter(|events| events.last().is_some_and(|(_, total)| *total <= Self::HIGHEST))?;
        let same = self.known().filter(|(_, total)| *total > base).zip(&counted).take_while(|(old, new)| old == *new);
        let same = same.last().map_or(base, |((_, total), _)| total);

        let is_kept = |chunk: &&Chunk| chunk.events.last().is_some_and(|(_, total)| *total > base && *total <= same);
        let chunks: Vec<Chunk> = self.chunks.iter().filter(is_kept).cloned().collect();
        let dropped = self.chunks.iter().take_while(|chunk| chunk.events.last().is_some_and(|end| end.1 <= base));
        let first = self.first + i64::try_from(dropped.count()).ok()?;
        let write_from = chunks.last().map_or(first, |chunk| chunk.number + 1);
        let spilled = chunks.last().and_then(|chunk| chunk.events.last()).map_or(base, |(_, total)| *total);
        let recent = counted.into_iter().filter(|(_, total)| *total > spilled).collect();
        let mut log = Self { base, spilled, first, last: write_from, slots: self.slots, chunks, recent };
        log.spill();
        (log.last - log.first <= i64::from(self.slots)).then_some(Laid { log, write_from, wipe: false })
    }

    /// As if none had been there.
    fn anew(&self, events: &[(u64, u64)]) -> Laid {
        let mut log = Self { recent: events.to_vec(), ..Self::default() };
        log.spill();
        log.slots = i32::try_from(log.chunks.len()).unwrap_or(i32::MAX / 2);
        if log.slots > 0 {
            log.slots = i32::try_from(log.slots.unsigned_abs().next_power_of_two()).unwrap_or(i32::MAX);
        }
        Laid { log, write_from: 0, wipe: self.slots > 0 }
    }

    /// Has events move to chunks, if more lie beside the head than may.
    fn spill(&mut self) {
        if self.recent.len() <= Self::RECENT {
            return;
        }
        let stay = self.recent.split_off(self.recent.len() - Self::STAY);
        for events in self.recent.chunks(Self::CHUNK) {
            self.chunks.push(Chunk { number: self.last, starts: self.spilled, events: events.to_vec() });
            self.last += 1;
            self.spilled = events.last().map_or(self.spilled, |(_, total)| *total);
        }
        self.recent = stay;
    }
}

impl Laid {
    /// The chunks to be written.
    pub(super) fn written(&self) -> &[Chunk] {
        let from = self.log.chunks.partition_point(|chunk| chunk.number < self.write_from);
        self.log.chunks.get(from..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in the rows after this has been written to them.
    fn written(before: &Log, laid: &Laid) -> Log {
        let slot = |chunk: &Chunk| chunk.number & i64::from(laid.log.slots - 1);
        let mut rows: std::collections::BTreeMap<i64, Chunk> = std::collections::BTreeMap::new();
        if !laid.wipe {
            rows.extend(before.chunks.iter().map(|chunk| (slot(chunk), chunk.clone())));
        }
        rows.extend(laid.written().iter().map(|chunk| (slot(chunk), chunk.clone())));
        let live = |chunk: &Chunk| (laid.log.first..laid.log.last).contains(&chunk.number);
        let mut chunks: Vec<Chunk> = rows.into_values().filter(live).collect();
        chunks.sort_by_key(|chunk| chunk.number);
        Log { chunks, ..laid.log.clone() }
    }

    fn of(weights: &[u64]) -> Vec<(u64, u64)> {
        let mut total = 0;
        let event = |(tick, weight): (usize, &u64)| {
            total += weight;
            (tick as u64 * 10, total)
        };
        weights.iter().enumerate().map(event).collect()
    }

    /// Without the oldest ones, whose units are not counted any more.
    fn without(events: &[(u64, u64)], oldest: usize) -> Vec<(u64, u64)> {
        let gone = oldest.checked_sub(1).map_or(0, |last| events[last].1);
        events[oldest..].iter().map(|(tick, total)| (*tick, total - gone)).collect()
    }

    #[test]
    fn events_come_back_from_where_they_were_laid_and_what_stayed_is_not_written_again() {
        let mut weights = vec![1; 10];
        let mut log = Log::default();
        for (add, oldest, most) in
            [(0, 0, 0), (5, 0, 0), (8, 0, 1), (300, 0, 6), (1, 0, 0), (1, 3, 0), (90, 3, 3), (7, 200, 1), (0, 210, 9)]
        {
            weights.extend(std::iter::repeat_n(3, add));
            let events = without(&of(&weights), oldest);
            let laid = log.lay(&events);
            log = written(&log, &laid);
            assert_eq!(log, laid.log);
            assert_eq!(log.events().unwrap(), events, "{add}");
            assert!(laid.written().len() <= most, "{add}: {}", laid.written().len());
            assert!(log.recent.len() <= Log::RECENT);
        }
    }

    #[test]
    fn what_was_taken_back_in_the_middle_is_written_from_there_on() {
        let log = Log::default().lay(&of(&[2; 400])).log;
        let mut weights = vec![2; 400];
        weights[300] = 1;
        let laid = log.lay(&of(&weights));
        assert_eq!(laid.log.events().unwrap(), of(&weights));
        assert!((1..=3).contains(&laid.written().len()), "{}", laid.written().len());
        weights[0] = 1;
        let laid = log.lay(&of(&weights));
        assert_eq!(written(&log, &laid).events().unwrap(), of(&weights));
    }

    #[test]
    fn nothing_is_nothing_and_large_totals_are_counted_anew() {
        let log = Log::default().lay(&of(&[2; 400])).log;
        let laid = log.lay(&[]);
        assert!(laid.log.events().unwrap().is_empty() && laid.wipe && laid.written().is_empty());
        let base = (1 << 52) - 5;
        let high = Log { base, spilled: base, recent: vec![(7, base + 2)], ..Log::default() };
        let laid = high.lay(&[(7, 2), (8, 9)]);
        assert_eq!((laid.log.base, laid.log.recent), (0, vec![(7, 2), (8, 9)]));
    }

    #[test]
    fn a_chunk_that_is_missing_is_noticed() {
        let mut log = Log::default().lay(&of(&[2; 400])).log;
        log.chunks.remove(2);
        assert!(log.events().is_err());
    }
}
