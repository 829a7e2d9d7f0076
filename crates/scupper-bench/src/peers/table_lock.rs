//! What the Python package pyrate-limiter 4.5 does in Postgres: a table a bucket with a row a unit, and for each request a
//! transaction that locks the table unless somebody else has, counts the rows of each window, and inserts.
//!
//! The statements are such as it sends, in its order, each prepared once a connection; Python is left out, and so is the
//! transaction that it begins and ends for the time alone. So is the thread that deletes old rows every ten seconds: a table that
//! is counted through is emptied before each run instead, and has no more rows than a run makes.
//!
//! Where somebody else has the table, the request is denied there, though it would fit. In one process there, a limiter lets its
//! threads ask one after the other; who asks at once is in other processes, as each task here stands for. Who is denied asks again
//! at once, as the callers of all sides do.

use std::time::Duration;

use anyhow::{Result, bail};
use deadpool_postgres::Pool;
use tokio_postgres::error::SqlState;

use crate::caller::{Caller, tasks};
use crate::contest::{Expected, Side};
use crate::limit::Limit;

pub(crate) const NAME: &str = "table lock";

const TABLES: &str = "CREATE TABLE IF NOT EXISTS ratelimit___peer (name varchar, weight smallint, item_timestamp timestamp); \
                      CREATE INDEX IF NOT EXISTS timestampindex_peer ON ratelimit___peer (item_timestamp); \
                      TRUNCATE ratelimit___peer";
const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const LOCK: &str = "LOCK TABLE ratelimit___peer IN EXCLUSIVE MODE NOWAIT";
const COUNT: &str = "SELECT count(*) FILTER (WHERE item_timestamp >= to_timestamp($1)), \
                     count(*) FILTER (WHERE item_timestamp >= to_timestamp($2)) FROM ratelimit___peer";
const INSERT: &str = "INSERT INTO ratelimit___peer (name, weight, item_timestamp) \
                      SELECT $1, $2, to_timestamp($3) FROM generate_series(1, $4)";

/// A bucket with two rates that many ask.
#[derive(Clone)]
pub(crate) struct TableLock {
    pool: Pool,
    limits: [Limit; 2],
}

impl TableLock {
    pub(crate) fn new(pool: Pool, limits: [Limit; 2]) -> Self {
        Self { pool, limits }
    }

    /// So many tasks that ask the same bucket.
    pub(crate) fn side<'a>(&self, tasks_at_once: u64) -> Side<'a> {
        let this = self.clone();
        Side::new(NAME, Expected::Sometimes, move |runtime, span| {
            runtime.block_on(async { anyhow::Ok(this.pool.get().await?.batch_execute(TABLES).await?) })?;
            tasks(runtime, (0..tasks_at_once).map(|_| this.clone()).collect(), span)
        })
    }

    /// Whether this request is admitted: all of them fit, so that a denial is the lock's.
    async fn ask(&self) -> Result<bool> {
        let mut client = self.pool.get().await?;
        let clock = client.prepare_cached(CLOCK).await?;
        let now: i64 = client.query_one(&clock, &[]).await?.try_get(0)?;
        let transaction = client.transaction().await?;
        if let Err(error) = transaction.batch_execute(LOCK).await {
            if error.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) {
                bail!(error);
            }
            transaction.rollback().await?;
            return Ok(false);
        }
        let [short, long] = self.limits.map(|limit| seconds(now) - limit.interval.as_secs_f64());
        let count = transaction.prepare_cached(COUNT).await?;
        let counts = transaction.query_one(&count, &[&short, &long]).await?;
        for (column, limit) in self.limits.iter().enumerate() {
            if counts.try_get::<_, i64>(column)? >= i64::from(limit.requests) {
                bail!("a limit is reached that is out of reach");
            }
        }
        let insert = transaction.prepare_cached(INSERT).await?;
        transaction.execute(&insert, &[&"user:42", &1_i16, &seconds(now), &1_i32]).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

fn seconds(millis: i64) -> f64 {
    Duration::from_millis(millis.unsigned_abs()).as_secs_f64()
}

impl Caller for TableLock {
    async fn call(&mut self) -> Result<bool> {
        self.ask().await
    }
}
