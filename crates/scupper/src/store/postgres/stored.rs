use tokio_postgres::{Error as PostgresError, Row};

use crate::error::Result;
use crate::store::bucket::{BucketState, Numbers, corrupt};
use crate::store::postgres::arguments::bigint;
use crate::store::postgres::log::{Chunk, Log, Older};

/// A bucket as its rows have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) head: Vec<u64>,
    pub(super) log: Log,
}

/// The rows of a bucket, before anybody has looked whether they are one's.
#[derive(Debug)]
pub(super) struct Rows {
    /// The server's clock, in microseconds.
    pub(super) clock: i64,
    bucket: Option<Numbered>,
    chunks: Vec<(i64, i64, Vec<i64>)>,
    /// Whether there may be older chunks than these.
    is_end: bool,
}

/// What the row of a bucket has.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) head: Vec<i64>,
    pub(super) recent: Vec<i64>,
    pub(super) base: i64,
    pub(super) spilled: i64,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) in_last: i32,
    pub(super) slots: i32,
}

impl Rows {
    /// A whole bucket, if there is one: number, start and events of each chunk.
    pub(super) const fn whole(clock: i64, bucket: Option<Numbered>, chunks: Vec<(i64, i64, Vec<i64>)>) -> Self {
        Self { clock, bucket, chunks, is_end: false }
    }

    /// The chunks are all of the bucket's, or its last ones.
    pub(super) fn read(bucket: &Row, chunks: &[Row], is_end: bool) -> Result<Self, PostgresError> {
        let numbered = match bucket.try_get::<_, Option<Vec<i64>>>(1)? {
            None => None,
            Some(head) => Some(Numbered {
                head,
                recent: bucket.try_get(2)?,
                base: bucket.try_get(3)?,
                spilled: bucket.try_get(4)?,
                first: bucket.try_get(5)?,
                last: bucket.try_get(6)?,
                in_last: bucket.try_get(7)?,
                slots: bucket.try_get(8)?,
            }),
        };
        let chunk = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let chunks = chunks.iter().map(chunk).collect::<Result<_, PostgresError>>()?;
        Ok(Self { clock: bucket.try_get(0)?, bucket: numbered, chunks, is_end })
    }

    /// The bucket, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the rows are none that this library writes.
    pub(super) fn stored(self) -> Result<Option<Stored>> {
        let Some(bucket) = self.bucket else { return Ok(None) };
        let chunk = |(number, starts, events): (i64, i64, Vec<i64>)| {
            Ok(Chunk { number, starts: starts.cast_unsigned(), events: pairs(&events)? })
        };
        let mut log = Log {
            older: None,
            base: bucket.base.cast_unsigned(),
            spilled: bucket.spilled.cast_unsigned(),
            first: bucket.first,
            last: bucket.last,
            slots: bucket.slots,
            chunks: self.chunks.into_iter().map(chunk).collect::<Result<_>>()?,
            recent: pairs(&bucket.recent)?,
        };
        let begun = log.chunks.first().map_or(log.last, |chunk| chunk.number);
        if self.is_end && begun > log.first {
            let in_last = usize::try_from(bucket.in_last).unwrap_or_default();
            log.older = Some(Older { first: log.first, base: log.base, in_last });
            log.first = begun;
            log.base = log.chunks.first().map_or(log.spilled, |chunk| chunk.starts);
        }
        let head = bucket.head.into_iter().map(i64::cast_unsigned).collect();
        Ok(Some(Stored { head, log }))
    }
}

impl Stored {
    pub(super) fn state(&self) -> Result<BucketState> {
        BucketState::from_numbers(&self.head, self.log.events()?)
    }

    /// Whether these numbers are what is stored.
    pub(super) fn is(&self, numbers: &Numbers) -> bool {
        self.head == numbers.head && self.log.events().is_ok_and(|events| events == numbers.events)
    }
}

fn pairs(numbers: &[i64]) -> Result<Vec<(u64, u64)>> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(corrupt("an event of its log is cut off"));
    }
    Ok(pairs.iter().map(|[tick, total]| (tick.cast_unsigned(), total.cast_unsigned())).collect())
}

/// Tick and total of each event, one behind the other.
pub(super) fn flat(events: &[(u64, u64)]) -> Vec<i64> {
    events.iter().flat_map(|(tick, total)| [bigint(*tick), bigint(*total)]).collect()
}
