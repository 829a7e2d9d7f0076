use std::borrow::Cow;
use std::time::Duration;

use crate::decision::{Decision, Detailed, Permit};
use crate::error::Result;
use crate::limiter::answer::{Answer, only, unexpected};
use crate::limiter::bucket::Bucket;
use crate::limiter::builder::LimiterBuilder;
use crate::limiter::core::{Ask, Core, check_weight};
use crate::limiter::request::{Request, Whom};
use crate::limiter::shortcut::Shortcut;
use crate::route::Route;
use crate::store::{Action, Cursor, Operation, Page, Reply, Snapshot};
use crate::sync::Arc;
use crate::time::Timestamp;

/// Decides who may go now, who must wait, and for how long.
///
/// Cheap to clone, and clones are the same limiter. Usable from threads and from any executor, on every store.
///
/// # Examples
/// ```
/// use scupper::{Decision, Limiter};
///
/// let limiter = Limiter::builder().rates(["5/s".parse()?, "1000/h".parse()?]).build()?;
/// match limiter.try_acquire("user:42")? {
///     Decision::Admitted(permit) => assert_eq!(permit.key(), "user:42"),
///     Decision::Denied(denied) => println!("come back in {:?}", denied.retry_after()),
///     Decision::NeverFits(never) => println!("{} never allows that", never.rate()),
/// }
/// let permit = limiter.acquire("user:42")?; // waits its turn
/// limiter.refund(permit)?; // not needed after all
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Limiter {
    pub(super) core: Arc<Core>,
}

impl Limiter {
    /// Sets up a limiter.
    pub fn builder() -> LimiterBuilder {
        LimiterBuilder::default()
    }

    /// Decides on one unit for this key now.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the key is longer than 64 KiB, and what the
    /// store or the route reports: that it could not tell. The memory store reports
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity) and
    /// [`ErrorKind::AlgorithmMismatch`](crate::ErrorKind::AlgorithmMismatch).
    pub fn try_acquire<'a>(&'a self, key: &'a str) -> Result<Decision<'a>> {
        if let (Some(memory), Route::PerKey(quota)) = (&self.core.memory, &self.core.route)
            && let Some(verdict) = memory.acquire_one(key, quota)
        {
            return Ok(Decision::new(&verdict, Cow::Borrowed(key), quota, 1));
        }
        let ask = Ask::new(self.core.route.find(key, 1)?, 1);
        let verdict = self.core.check(&ask).wait()?;
        Ok(ask.decision(&verdict))
    }

    /// Decides on one unit for this key now, without blocking the executor while a remote store answers.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub async fn try_acquire_async<'a>(&'a self, key: &'a str) -> Result<Decision<'a>> {
        self.request(key).try_acquire_async().await
    }

    /// Decides on one unit for this key now, and says how its bucket is left.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn detailed<'a>(&'a self, key: &'a str) -> Result<Detailed<'a>> {
        self.request(key).detailed()
    }

    /// Waits until one unit for this key is admitted, blocking the calling thread.
    ///
    /// # Errors
    /// As for [`Request::acquire`].
    pub fn acquire<'a>(&'a self, key: &'a str) -> Result<Permit<'a>> {
        self.request(key).acquire()
    }

    /// Waits until one unit for this key is admitted, on any executor.
    ///
    /// # Errors
    /// As for [`Request::acquire`].
    ///
    /// # Examples
    /// ```
    /// # pollster::block_on(async {
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// let permit = limiter.acquire_async("user:42").await?;
    /// assert_eq!(permit.weight(), 1);
    /// # Ok::<(), scupper::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn acquire_async<'a>(&'a self, key: &'a str) -> Result<Permit<'a>> {
        self.request(key).acquire_async().await
    }

    /// A request that says more than its key: weight, timeout, time.
    pub fn request<'a>(&'a self, key: &'a str) -> Request<'a> {
        Request::new(&self.core, Whom::Key(key))
    }

    /// A handle to the bucket of this key, for whoever asks often: it is routed and looked up once.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn bucket(&self, key: &str) -> Result<Bucket> {
        let routed = self.core.route.find(key, 1)?;
        let shortcut = self.core.store.pin(&routed.key, &routed.quota)?.map(Shortcut::new);
        Ok(Bucket { core: Arc::clone(&self.core), key: routed.key.into(), quota: routed.quota.into_owned(), shortcut })
    }

    /// How the bucket of this key is now: used, remaining and reset of every rate. Consumes nothing.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn peek(&self, key: &str) -> Result<Snapshot> {
        self.look(key)?.wait()
    }

    /// How the bucket of this key is now, without blocking the executor.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub async fn peek_async(&self, key: &str) -> Result<Snapshot> {
        self.look(key)?.get().await
    }

    fn look(&self, key: &str) -> Result<Answer<Snapshot>> {
        let routed = self.core.route.find(key, 1)?;
        let operation = Operation::new(&routed.key, Action::Peek { quota: &routed.quota });
        Ok(self.core.submit(&operation, |outcomes| match only(outcomes)? {
            Reply::Peeked(snapshot) => Ok(snapshot),
            other => Err(unexpected(&format!("{other:?}"))),
        }))
    }

    /// Gives back what a permit took; says how many units that still made a difference. Zero if they have left every
    /// window meanwhile, or if the bucket was reset.
    ///
    /// # Errors
    /// What the store reports. The permit is gone then: its units stay charged for their window.
    pub fn refund(&self, permit: Permit<'_>) -> Result<u64> {
        self.give_back(&permit).wait()
    }

    /// Gives back what a permit took, without blocking the executor.
    ///
    /// # Errors
    /// As for [`refund`](Self::refund).
    pub async fn refund_async(&self, permit: Permit<'_>) -> Result<u64> {
        self.give_back(&permit).get().await
    }

    fn give_back(&self, permit: &Permit<'_>) -> Answer<u64> {
        let operation = Operation::new(permit.key(), Action::Refund(permit.admission()));
        self.core.submit(&operation, |outcomes| match only(outcomes)? {
            Reply::Refunded(units) => Ok(units),
            other => Err(unexpected(&format!("{other:?}"))),
        })
    }

    /// Takes units from the bucket of this key whether or not there is room: a debt that has to leave its windows before
    /// anybody is admitted again. Says at which tick it was counted.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire), and
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a number of units outside 1 to
    /// [`Rate::MAX_LIMIT`](crate::Rate::MAX_LIMIT).
    pub fn penalize(&self, key: &str, units: u64) -> Result<Timestamp> {
        check_weight(units)?;
        let routed = self.core.route.find(key, units)?;
        let operation = Operation::new(&routed.key, Action::Penalize { quota: &routed.quota, units });
        let answer = self.core.submit(&operation, |outcomes| match only(outcomes)? {
            Reply::Penalized(tick) => Ok(tick),
            other => Err(unexpected(&format!("{other:?}"))),
        });
        answer.wait()
    }

    /// Admits nobody on this key until `duration` has passed on the store's clock: what to do when a server said *come back
    /// later*. An earlier, longer hold stays. Says until when.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn hold(&self, key: &str, duration: Duration) -> Result<Timestamp> {
        let routed = self.core.route.find(key, 1)?;
        let operation = Operation::new(&routed.key, Action::Hold { quota: &routed.quota, duration });
        let answer = self.core.submit(&operation, |outcomes| match only(outcomes)? {
            Reply::Held(until) => Ok(until),
            other => Err(unexpected(&format!("{other:?}"))),
        });
        answer.wait()
    }

    /// Forgets all that was taken on this key, and any hold. Says whether there was anything.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn reset(&self, key: &str) -> Result<bool> {
        let routed = self.core.route.find(key, 1)?;
        let answer = self.core.submit(&Operation::new(&routed.key, Action::Reset), |outcomes| match only(outcomes)? {
            Reply::Reset(was_there) => Ok(was_there),
            other => Err(unexpected(&format!("{other:?}"))),
        });
        answer.wait()
    }

    /// Keys of buckets in the store that begin with `prefix` and owe something, `most` at a time and in no order. Go on
    /// with the page's cursor. Buckets that come or go meanwhile may be missed or seen twice.
    ///
    /// # Errors
    /// What the store reports.
    pub fn list(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Result<Page> {
        let operation = Operation::new(prefix, Action::List { after, most: most.max(1) });
        let answer = self.core.submit(&operation, |outcomes| match only(outcomes)? {
            Reply::Listed(page) => Ok(page),
            other => Err(unexpected(&format!("{other:?}"))),
        });
        answer.wait()
    }
}
