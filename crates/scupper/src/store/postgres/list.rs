use tokio_postgres::Row;

use crate::error::{Error, ErrorKind, Result};
use crate::store::bucket::{BucketState, Kind};
use crate::store::outcome::{Cursor, Page, Reply};
use crate::store::postgres::failure::Failure;
use crate::store::postgres::id::Id;
use crate::store::postgres::intake::List;
use crate::store::postgres::pool::Pool;
use crate::store::postgres::statement::Query;
use crate::sync::Arc;
use crate::time::Timestamp;

/// For a page, so many rows are looked at.
const FEWEST: usize = 100;
const MOST: usize = 1_000;

/// Answers with a page.
pub(super) async fn list(list: List, pool: Arc<Pool>) {
    let page = page(&list, &pool).await;
    // Who asked may be gone.
    let _ = list.answer.send(vec![page.map(Reply::Listed)]);
}

/// A row of a bucket whose key begins as asked, as far as it tells whether anything is owed.
struct Found {
    key: Vec<u8>,
    clock: i64,
    head: Vec<i64>,
    newest: Option<i64>,
}

/// A page has keys, unless there are too many that are none of these.
async fn page(list: &List, pool: &Pool) -> Result<Page> {
    let from = match &list.after {
        None => Id::FIRST,
        Some(after) => Id::parse(after.place()).ok_or_else(foreign_cursor)?,
    };
    let look_at = list.most.clamp(FEWEST, MOST);
    let rows = look(list, pool, from, look_at).await?;
    let (mut keys, mut seen) = (Vec::new(), None);
    for (id, found) in &rows {
        if keys.len() == list.most {
            break;
        }
        seen = Some(*id);
        keys.extend(found.as_ref().and_then(Found::owing));
    }
    let is_end = rows.len() < look_at && seen == rows.last().map(|(id, _)| *id);
    let next = if is_end { None } else { seen.and_then(Id::next).map(|id| Cursor::new(id.to_string())) };
    Ok(Page { keys, next })
}

async fn look(list: &List, pool: &Pool, from: Id, look_at: usize) -> Result<Vec<(Id, Option<Found>)>> {
    let lease = pool.lease().await?;
    let look_at = i64::try_from(look_at).unwrap_or(i64::MAX);
    let work = async {
        let statement = lease.statement(Query::List).await?;
        let rows = lease.client().query(&statement, &[&from, &list.prefix.as_bytes(), &look_at]).await?;
        let read = |row: &Row| {
            let Some(key) = row.try_get(1)? else { return Ok((row.try_get(0)?, None)) };
            let found = Found { key, clock: row.try_get(2)?, head: row.try_get(3)?, newest: row.try_get(4)? };
            Ok((row.try_get(0)?, Some(found)))
        };
        rows.iter().map(read).collect::<Result<Vec<_>, _>>()
    };
    let work = async { work.await.map_err(|error| Failure::of(error, &pool.entry().place).nothing_done()) };
    pool.call(&lease, work).await.map_err(|failure| failure.nothing_done().error)
}

impl Found {
    /// The key, if the bucket owes anything. What is no bucket owes nothing.
    fn owing(&self) -> Option<String> {
        let head: Vec<u64> = self.head.iter().copied().map(i64::cast_unsigned).collect();
        let has_log = !Kind::of(*head.first()?).ok()?.has_lanes();
        // Of a log, the newest event alone matters here, and not how many units it has.
        let newest = self.newest.filter(|_| has_log).map(|tick| (tick.cast_unsigned(), 1));
        let state = BucketState::from_numbers(&head, newest.into_iter().collect()).ok()?;
        let owes = state.settled_from() > Timestamp::from_micros(self.clock.cast_unsigned());
        owes.then(|| String::from_utf8(self.key.clone()).ok()).flatten()
    }
}

#[cold]
fn foreign_cursor() -> Error {
    Error::new(ErrorKind::InvalidRequest, "the cursor is not of a list of this store; begin the list anew, without one")
}
