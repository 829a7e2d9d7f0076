use tokio::sync::Semaphore;

use crate::error::Result;
use crate::store::coalesce::Coalescer;
use crate::store::io::Runner;
use crate::store::postgres::decider::Decider;
use crate::store::postgres::entry::Entry;
use crate::store::postgres::general::General;
use crate::store::postgres::intake::List;
use crate::store::postgres::job::Job;
use crate::store::postgres::list::list;
use crate::store::postgres::pool::Pool;
use crate::store::postgres::sweep::Sweeper;
use crate::store::postgres::turns::Turns;
use crate::sync::Arc;

/// How jobs get to the server.
pub(super) struct Way {
    pool: Arc<Pool>,
    decider: Coalescer<Decider>,
    general: Arc<Coalescer<General>>,
    sweeper: Sweeper,
    runner: Runner,
}

impl Way {
    pub(super) fn new(entry: &Arc<Entry>, runner: Runner) -> Result<Self> {
        let settings = &entry.settings;
        let pool = Arc::new(Pool::new(Arc::clone(entry), runner.clone())?);
        // However many buckets are waited for, some of the connections are for others, if there are two: acquires wait with half of
        // them, and what is rarer with a quarter beside that, or among them where nothing would be left.
        let half = (settings.pool / 2).max(1);
        let waits = Arc::new(Semaphore::new(half));
        let quarter = Arc::new(Semaphore::new((settings.pool / 4).max(1)));
        let rare = if settings.pool > 2 { quarter } else { Arc::clone(&waits) };
        let turns = |bounds| Arc::new(Turns::new(half.min(2), bounds, runner.clone()));
        let alone = settings.bounds_one_by_one();
        let general = General { pool: Arc::clone(&pool), turns: turns(alone), waits: rare, runner: runner.clone() };
        let general = Arc::new(Coalescer::new(Arc::new(general), alone));
        let sweeper = Sweeper::start(&pool, &runner);
        let decider = Decider {
            pool: Arc::clone(&pool),
            general: Arc::clone(&general),
            sweeper: sweeper.clone(),
            turns: turns(settings.bounds()),
            waits,
            runner: runner.clone(),
        };
        Ok(Self { pool, decider: Coalescer::new(Arc::new(decider), settings.bounds()), general, sweeper, runner })
    }

    /// Has a job done; its answer comes by itself.
    pub(super) fn send(&self, job: Job) {
        if job.plain_quota().is_some() {
            self.decider.send(job, &self.runner);
        } else {
            self.general.send(job, &self.runner);
        }
    }

    /// Has a page looked for; it comes by itself.
    pub(super) fn list(&self, asked: List) {
        self.runner.spawn(list(asked, Arc::clone(&self.pool)));
    }

    /// How the last sweep of idle rows ended.
    pub(super) fn last_sweep(&self) -> Result<()> {
        self.sweeper.last()
    }

    /// Whether the server can be reached, and lets this role do what the store does.
    pub(super) async fn check(&self) -> Result<()> {
        self.pool.lease().await.map(drop)
    }
}
