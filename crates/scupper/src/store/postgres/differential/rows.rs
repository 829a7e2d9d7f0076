//! The rows of a bucket, as the server writes them.

use crate::store::bucket::BucketState;

/// What a bucket's rows have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) idle_from: u64,
    pub(super) head: Vec<u64>,
    pub(super) recent: Vec<(u64, u64)>,
    pub(super) base: u64,
    pub(super) spilled: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) in_last: usize,
    pub(super) slots: u64,
    /// Those in use, in order.
    pub(super) chunks: Vec<Chunk>,
    /// How many rows of chunks there are, in use or not.
    pub(super) chunks_ever: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) slot: u64,
    pub(super) number: u64,
    pub(super) starts: u64,
    pub(super) events: Vec<(u64, u64)>,
}

/// How a row is asked for, as [`Rows::read`] reads it.
pub(super) const SELECT: &str = "SELECT b.idle_from, b.head, b.recent, b.base, b.spilled, b.first, b.last, b.in_last, b.slots, \
     (SELECT string_agg(c.slot || ',' || c.number || ',' || c.starts || ',' || c.events::text, ' ' ORDER BY c.number) \
      FROM {s}.chunk AS c WHERE c.bucket = b.id AND c.number >= b.first AND c.number < b.last), \
     (SELECT count(*) FROM {s}.chunk AS c WHERE c.bucket = b.id) FROM {s}.bucket AS b";

impl Rows {
    /// Nothing, where there is no bucket.
    pub(super) fn read(columns: &[Option<String>]) -> Option<Self> {
        columns[0].as_ref()?;
        let text = |at: usize| columns[at].as_deref().unwrap_or_default();
        let number = |at: usize| text(at).parse::<u64>().unwrap();
        let chunks = text(9).split_whitespace().map(|chunk| {
            let mut parts = chunk.splitn(4, ',');
            let mut number = || parts.next().unwrap().parse().unwrap();
            let (slot, number, starts) = (number(), number(), number());
            Chunk { slot, number, starts, events: pairs(parts.next().unwrap()) }
        });
        Some(Self {
            idle_from: number(0),
            head: numbers(text(1)),
            recent: pairs(text(2)),
            base: number(3),
            spilled: number(4),
            first: number(5),
            last: number(6),
            in_last: text(7).parse().unwrap(),
            slots: number(8),
            chunks: chunks.collect(),
            chunks_ever: number(10),
        })
    }

    /// The events of the log, counted from the first of them.
    fn events(&self) -> Vec<(u64, u64)> {
        let all = self.chunks.iter().flat_map(|chunk| &chunk.events).chain(&self.recent);
        all.filter(|(_, total)| *total > self.base).map(|(tick, total)| (*tick, total - self.base)).collect()
    }

    pub(super) fn state(&self) -> crate::error::Result<BucketState> {
        BucketState::from_numbers(&self.head, self.events())
    }

    /// Whether all is where it should be.
    pub(super) fn check(&self) -> Result<(), String> {
        let numbers: Vec<u64> = self.chunks.iter().map(|chunk| chunk.number).collect();
        let mut before = self.base;
        for chunk in &self.chunks {
            let end = chunk.events.last().map_or(0, |(_, total)| *total);
            let is_first = chunk.number == self.first;
            if (chunk.starts != before && !(is_first && chunk.starts < before)) || end <= before {
                return Err(format!("chunk {} starts at {} and not {before}: {self:?}", chunk.number, chunk.starts));
            }
            before = end;
        }
        let is_well = numbers.iter().copied().eq(self.first..self.last)
            && self
                .chunks
                .iter()
                .all(|chunk| chunk.slot == chunk.number & (self.slots - 1) && chunk.events.len() <= 64)
            && before == self.spilled
            && (self.chunks.is_empty() || self.chunks.last().unwrap().events.len() == self.in_last)
            && self.recent.len() <= 16
            && self.last - self.first <= self.slots
            && self.chunks_ever <= self.slots;
        if is_well { Ok(()) } else { Err(format!("the log is not as it should be: {self:?}")) }
    }
}

/// An array of numbers, of whatever sign.
fn numbers(text: &str) -> Vec<u64> {
    let inner = text.trim_matches(['{', '}']);
    inner
        .split(',')
        .filter(|number| !number.is_empty())
        .map(|number| number.parse::<i64>().unwrap().cast_unsigned())
        .collect()
}

fn pairs(text: &str) -> Vec<(u64, u64)> {
    numbers(text).chunks(2).map(|pair| (pair[0], pair[1])).collect()
}
