use tokio_postgres::Error as PostgresError;

use crate::rate::Rate;
use crate::store::batch::Operation;
use crate::store::bucket::{BucketState, Kind};
use crate::store::outcome::{Outcome, Reply, Usage};
use crate::store::postgres::id::Id;
use crate::store::postgres::session::Session;
use crate::store::postgres::statement::Query;
use crate::time::Timestamp;

/// What the server sees of a bucket in passing, however long its log is.
#[derive(Debug)]
pub(super) struct Seen {
    clock: Timestamp,
    head: Option<Vec<i64>>,
    /// The tick of the newest event of a log.
    newest: Option<i64>,
    /// Units of a log within the interval of each rate that was asked for.
    used: Vec<Option<i64>>,
}

impl Seen {
    /// Looks for the rates of this operation.
    pub(super) async fn of(session: &Session, id: Id, operation: &Operation<'_>) -> Result<Self, PostgresError> {
        let statement = session.statement(Query::Look).await?;
        let rates = operation.quota().map_or(&[][..], |quota| quota.rates());
        let micros = |rate: &Rate| i64::try_from(rate.interval_micros()).unwrap_or(i64::MAX);
        let intervals: Vec<i64> = rates.iter().map(micros).collect();
        let row = session.client().query_one(&statement, &[&id, &intervals]).await?;
        Ok(Self {
            clock: Timestamp::from_micros(row.try_get::<_, i64>(0)?.cast_unsigned()),
            head: row.try_get(1)?,
            newest: row.try_get(2)?,
            used: row.try_get::<_, Option<_>>(3)?.unwrap_or_default(),
        })
    }

    /// What the look shows; nothing where the bucket has to be seen as a whole.
    pub(super) fn outcome(&self, operation: &Operation<'_>) -> Option<Outcome> {
        let quota = operation.quota()?;
        let Some(head) = &self.head else {
            return Some(BucketState::new(quota, self.clock).apply(operation, self.clock));
        };
        let head: Vec<u64> = head.iter().copied().map(i64::cast_unsigned).collect();
        let kind = Kind::of(*head.first()?).ok()?;
        // Of a log, its newest event stands for all of them.
        let newest = self.newest.filter(|_| !kind.has_lanes()).map(|tick| (tick.cast_unsigned(), 1));
        let mut state = BucketState::from_numbers(&head, newest.into_iter().collect()).ok()?;
        if kind.has_lanes() {
            return Some(state.apply(operation, self.clock));
        }
        if kind.algorithm != quota.algorithm() || !state.goes_on_at(self.clock) {
            return None;
        }
        let Ok(Reply::Peeked(mut snapshot)) = state.apply(operation, self.clock) else { return None };
        if snapshot.usage.len() != self.used.len() {
            return None;
        }
        for (usage, used) in snapshot.usage.iter_mut().zip(&self.used) {
            let used = used.and_then(|used| u64::try_from(used).ok())?;
            if (used > 0) != (usage.used > 0) {
                return None;
            }
            *usage = Usage::new(usage.rate, used, usage.reset_at);
        }
        Some(Ok(Reply::Peeked(snapshot)))
    }
}
