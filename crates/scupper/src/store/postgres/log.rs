use crate::error::Result;
use crate::store::bucket::corrupt;

/// The log of a bucket as its rows have it. All totals are counted from the same beginning, which is of no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// What is not known of it: then the rest is as if that were gone.
    pub(super) older: Option<Older>,
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

/// Chunks that lie before those that are known of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Older {
    /// The first of them.
    pub(super) first: i64,
    /// Units up to here are no longer in the log.
    pub(super) base: u64,
    /// Events in the last chunk of all.
    pub(super) in_last: usize,
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
        let unknown = self.older.map_or(0, |older| older.in_last);
        self.chunks.last().map_or(unknown, |chunk| chunk.events.len())
    }

    /// These events in place of those that are known, as [`events`](Self::events) has them; nothing if it takes all of the log to
    /// say where they go.
    pub(super) fn lay(&self, events: &[(u64, u64)]) -> Option<Laid> {
        let laid = if events.is_empty() { self.empty() } else { self.go_on(events) };
        if self.older.is_some() { laid } else { laid.or_else(|| Some(self.anew(events))) }
    }

    /// Nothing, in the place of all that is there. The rows of chunks have room for others.
    fn empty(&self) -> Option<Laid> {
        let end = self.recent.last().map_or(self.spilled, |(_, total)| *total);
        if end > Self::HIGHEST || self.older.is_some() {
            return None;
        }
        let log =
            Self { base: end, spilled: end, first: self.last, last: self.last, slots: self.slots, ..Self::default() };
        Some(Laid { log, write_from: self.last, wipe: false })
    }

    /// What is gone of them if these are left. Nothing goes behind what is not known.
    fn gone(&self, events: &[(u64, u64)]) -> Option<u64> {
        if self.older.is_some() {
            return Some(self.base);
        }
        let (oldest, _) = events.first()?;
        let gone = self.known().take_while(|(tick, _)| tick < oldest).last();
        Some(gone.map_or(self.base, |(_, total)| total))
    }

    /// With the chunks as they are whose events are all among them.
    fn go_on(&self, events: &[(u64, u64)]) -> Option<Laid> {
        let base = self.gone(events)?;
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
        let (slots, older) = (self.slots, self.older);
        let mut log = Self { older, base, spilled, first, last: write_from, slots, chunks, recent };
        log.spill();
        if let Some(older) = older {
            // How long an older chunk is that becomes the last one is not known.
            if log.chunks.is_empty() && !self.chunks.is_empty() {
                return None;
            }
            (log.first, log.base) = (older.first, older.base);
        }
        (log.last - log.first <= i64::from(slots)).then_some(Laid { log, write_from, wipe: false })
    }

    /// As if none had been there.
    pub(super) fn anew(&self, events: &[(u64, u64)]) -> Laid {
        let mut log = Self { recent: events.to_vec(), ..Self::default() };
        log.spill();
        if !log.chunks.is_empty() {
            // With room for more, so that it need not be known as a whole again soon.
            let slots = (log.chunks.len() + 1).next_power_of_two();
            log.slots = i32::try_from(slots).unwrap_or(1 << 30);
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
            let laid = log.lay(&events).unwrap();
            log = written(&log, &laid);
            assert_eq!(log, laid.log);
            assert_eq!(log.events().unwrap(), events, "{add}");
            assert!(laid.written().len() <= most, "{add}: {}", laid.written().len());
            assert!(log.recent.len() <= Log::RECENT);
        }
    }

    #[test]
    fn what_was_taken_back_in_the_middle_is_written_from_there_on() {
        let log = Log::default().lay(&of(&[2; 400])).unwrap().log;
        let mut weights = vec![2; 400];
        weights[300] = 1;
        let laid = log.lay(&of(&weights)).unwrap();
        assert_eq!(laid.log.events().unwrap(), of(&weights));
        assert!((1..=3).contains(&laid.written().len()), "{}", laid.written().len());
        weights[0] = 1;
        let laid = log.lay(&of(&weights)).unwrap();
        assert_eq!(written(&log, &laid).events().unwrap(), of(&weights));
    }

    #[test]
    fn nothing_is_nothing_and_large_totals_are_counted_anew() {
        let log = Log::default().lay(&of(&[2; 400])).unwrap().log;
        let laid = log.lay(&[]).unwrap();
        assert!(laid.log.events().unwrap().is_empty() && !laid.wipe && laid.written().is_empty());
        assert_eq!((laid.log.base, laid.log.spilled, laid.log.slots), (800, 800, log.slots), "room for what comes");
        let base = (1 << 52) - 5;
        let high = Log { base, spilled: base, recent: vec![(7, base + 2)], ..Log::default() };
        let laid = high.lay(&[(7, 2), (8, 9)]).unwrap();
        assert_eq!((laid.log.base, laid.log.recent), (0, vec![(7, 2), (8, 9)]));
    }

    /// The same, known from this chunk on.
    fn from(log: &Log, first: i64) -> Log {
        let mut chunks = log.chunks.clone();
        chunks.retain(|chunk| chunk.number >= first);
        let older = Older { first: log.first, base: log.base, in_last: log.in_last() };
        let base = chunks.first().map_or(log.spilled, |chunk| chunk.starts);
        Log { older: Some(older), base, first, chunks, ..log.clone() }
    }

    #[test]
    fn the_end_of_a_log_is_laid_behind_what_is_not_known_of_it() {
        let weights = vec![2; 400];
        let log = Log::default().lay(&of(&weights)).unwrap().log;
        for known in [log.last, log.last - 1, log.last - 3] {
            let end = from(&log, known);
            let mut events = end.events().unwrap();
            let total = events.last().unwrap().1;
            events.push((10_000, total + 5));
            let laid = end.lay(&events).unwrap();
            let all = Log { chunks: log.chunks.clone(), ..laid.log.clone() };
            let expected: Vec<_> = of(&weights).into_iter().chain([(10_000, 805)]).collect();
            assert_eq!(Log { older: None, ..all }.events().unwrap(), expected);
            assert!(laid.written().is_empty() && !laid.wipe);
            assert_eq!((laid.log.first, laid.log.base, laid.log.in_last()), (log.first, log.base, log.in_last()));
        }
    }

    #[test]
    fn what_takes_all_of_a_log_to_say_is_not_said_from_its_end() {
        let log = Log::default().lay(&of(&[2; 400])).unwrap().log;
        let end = from(&log, log.last - 1);
        // Of an older chunk nobody knows how long it is, and the ring may be full.
        assert_eq!(end.lay(&[]), None);
        let many: Vec<_> = (0..5_000).map(|nth| (10_000 + nth, nth + 1)).collect();
        assert_eq!(end.lay(&many), None);
        let high = Log { base: (1 << 52) - 5, spilled: (1 << 52) - 5, ..from(&log, log.last) };
        assert_eq!(high.lay(&[(7, 2), (8, 9)]), None);
    }

    #[test]
    fn a_chunk_that_is_missing_is_noticed() {
        let mut log = Log::default().lay(&of(&[2; 400])).unwrap().log;
        log.chunks.remove(2);
        assert!(log.events().is_err());
    }
}
