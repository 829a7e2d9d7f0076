use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::store::io::Runner;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::id::Id;
use crate::store::postgres::pool::Pool;
use crate::store::postgres::statement::Query;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, Weak, lock};

/// Has idle rows leave: some after calls, as many as keep up with what calls can have made, and some now and then.
#[derive(Clone)]
pub(super) struct Sweeper(Arc<Due>);

#[derive(Default)]
struct Due {
    /// So many rows are to be looked at for what calls have touched.
    rows: AtomicU64,
    come: Notify,
    /// How the last sweep failed, if it did.
    failure: Mutex<Option<Error>>,
}

/// For each bucket that a call touches, so many rows are looked at.
const ROWS_A_BUCKET: u64 = 2;
/// So many are looked at in one go, of which no more than a hundred leave, and no more than a thousand chunks of theirs.
const FEWEST: u64 = 64;
const MOST: u64 = 400;
/// So often some are looked at, whatever comes.
const PAUSE: Duration = Duration::from_secs(1);

impl Sweeper {
    /// Sweeps for as long as the pool is there.
    pub(super) fn start(pool: &Arc<Pool>, runner: &Runner) -> Self {
        let due = Arc::<Due>::default();
        runner.spawn(sweep(Arc::downgrade(pool), Arc::clone(&due)));
        Self(due)
    }

    /// So many buckets were touched by a call.
    pub(super) fn after(&self, buckets: usize) {
        let rows = ROWS_A_BUCKET * buckets as u64;
        let before = self.0.rows.fetch_add(rows, Ordering::Relaxed);
        if before < FEWEST && before + rows >= FEWEST {
            self.0.come.notify_one();
        }
    }

    /// How the last sweep ended.
    pub(super) fn last(&self) -> Result<()> {
        lock(&self.0.failure).as_ref().map_or(Ok(()), |failure| Err(failure.again()))
    }
}

async fn sweep(pool: Weak<Pool>, due: Arc<Due>) {
    // Those of other processes are elsewhere.
    let mut next = Some(Id::any());
    loop {
        let is_called = timeout(PAUSE, due.come.notified()).await.is_ok();
        let Some(pool) = pool.upgrade() else { return };
        loop {
            let rows = due.rows.swap(0, Ordering::Relaxed);
            let most = if is_called { rows.clamp(FEWEST, MOST) } else { MOST };
            let swept = step(&pool, next.unwrap_or(Id::FIRST), most).await;
            *lock(&due.failure) = swept.as_ref().err().map(Error::again);
            let Ok(swept) = swept else { break };
            next = swept.next;
            due.rows.fetch_add(rows.saturating_sub(most), Ordering::Relaxed);
            // Where many are idle, there are more; and what is left to look at is not told of again.
            if !swept.is_cut_short(most) && swept.removed * 4 < most && due.rows.load(Ordering::Relaxed) < FEWEST {
                break;
            }
        }
    }
}

struct Swept {
    next: Option<Id>,
    looked_at: u64,
    removed: u64,
}

impl Swept {
    /// Whether as much has gone as goes at once, so that the rest of what was to be looked at is still to be.
    const fn is_cut_short(&self, most: u64) -> bool {
        self.looked_at < most && self.next.is_some()
    }
}

async fn step(pool: &Pool, after: Id, most: u64) -> Result<Swept> {
    let lease = pool.lease().await?;
    let most = i32::try_from(most).unwrap_or(i32::MAX);
    let work = async {
        let statement = lease.statement(Query::Sweep).await?;
        let row = lease.client().query_one(&statement, &[&after, &most]).await?;
        let count = |column: usize| Ok(u64::try_from(row.try_get::<_, i32>(column)?).unwrap_or_default());
        Ok(Swept { next: row.try_get(0)?, looked_at: count(1)?, removed: count(2)? })
    };
    let work = async { work.await.map_err(|error| Failure::of(error, &pool.entry().place)) };
    pool.call(&lease, work).await.map_err(|failure| failure.error)
}
