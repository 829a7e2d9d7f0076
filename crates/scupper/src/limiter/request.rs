use std::borrow::Cow;
use std::time::Duration;

use crate::decision::{Decision, Detailed};
use crate::error::Result;
use crate::limiter::admission::Patience;
use crate::limiter::core::{Core, Demand};
use crate::limiter::reservation::Reservation;
use crate::permit::Permit;
use crate::store::Snapshot;
use crate::sync::Arc;
use crate::time::Timestamp;

/// A request that says more than its key: made by [`Limiter::request`](crate::Limiter::request) and
/// [`Bucket::request`](crate::Bucket::request), answered by the method that ends it.
///
/// # Examples
/// ```
/// use scupper::{ErrorKind, Limiter, Rate};
/// use std::time::Duration;
///
/// let limiter = Limiter::builder().rate(Rate::per_hour(10)?).build()?;
/// let permit = limiter.request("user:42").weight(8).acquire()?;
/// assert_eq!(permit.weight(), 8);
///
/// // Three more do not fit for an hour: waiting five seconds is pointless, and is not done.
/// let late = limiter.request("user:42").weight(3).timeout(Duration::from_secs(5)).acquire();
/// assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a request is made when it is ended with acquire or try_acquire"]
pub struct Request<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) whom: Whom<'a>,
    pub(super) weight: u64,
    pub(super) timeout: Option<Duration>,
    pub(super) at: Option<Timestamp>,
}

/// Who is to be limited: a key that is yet to be routed, or a bucket that was.
#[derive(Debug)]
pub(super) enum Whom<'a> {
    Key(&'a str),
    Bucket(Demand<'a>),
}

impl<'a> Request<'a> {
    pub(super) const fn new(core: &'a Arc<Core>, whom: Whom<'a>) -> Self {
        Self { core, whom, weight: 1, timeout: None, at: None }
    }

    /// Asks for so many units, all or nothing; 1 unless set. From 1 to [`Rate::MAX_LIMIT`](crate::Rate::MAX_LIMIT).
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// assert!(limiter.request("user:42").weight(5).try_acquire()?.is_admitted());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub const fn weight(mut self, units: u64) -> Self {
        self.weight = units;
        self
    }

    /// Waits no longer than this, and not at all if that would be too short, as the line stands; without limit unless set.
    /// With zero it does not wait, as by [`try_acquire`](Self::try_acquire), and is in time if it is admitted then. Only
    /// [`acquire`](Self::acquire), [`reserve`](Self::reserve) and their asynchronous forms wait.
    ///
    /// What makes a wait longer, a hold or a penalty of this process included, is noticed when the line is next served, and
    /// at the deadline at the latest.
    ///
    /// A time that passes while a remote store is being asked ends the wait with [`ErrorKind::Unknown`](crate::ErrorKind::Unknown);
    /// what the store admits yet is given back.
    ///
    /// # Examples
    /// ```
    /// use scupper::Limiter;
    /// use std::time::Duration;
    ///
    /// let limiter = Limiter::builder().rates(["1/h".parse()?]).build()?;
    /// assert!(limiter.request("user:42").timeout(Duration::ZERO).acquire().is_ok());
    /// assert!(limiter.request("user:42").timeout(Duration::from_secs(5)).acquire().is_err());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Decides at this time in place of the store's clock. For callers who keep their own time: all who use the bucket
    /// must then do so. While a request waits, its time goes on with the limiter's timer.
    ///
    /// A time before the newest of the bucket counts as that, unless it is further back than the bucket's longest
    /// interval: then everything in the bucket keeps its age and goes on from the new time.
    ///
    /// A time later than 2^63 microseconds, about the year 294,247, is an
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) when the request is made.
    ///
    /// # Examples
    /// ```
    /// use scupper::{Limiter, Timestamp};
    ///
    /// let limiter = Limiter::builder().rates(["1/s".parse()?]).build()?;
    /// for (micros, is_admitted) in [(0, true), (1_000_000, false), (1_000_001, true)] {
    ///     let decision = limiter.request("replay").at(Timestamp::from_micros(micros)).try_acquire()?;
    ///     assert_eq!(decision.is_admitted(), is_admitted);
    /// }
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub const fn at(mut self, now: Timestamp) -> Self {
        self.at = Some(now);
        self
    }

    fn demand(self) -> Result<Demand<'a>> {
        let Self { core, weight, at, timeout, .. } = self;
        let demand = match self.whom {
            Whom::Key(key) => Demand::new(core.find(key, weight)?, weight),
            Whom::Bucket(demand) => match core.changed_quota().filter(|_| demand.follows) {
                Some(quota) => Demand { quota: Cow::Owned(quota), ..demand },
                None => demand,
            },
        };
        Ok(Demand { weight, at, timeout, ..demand })
    }

    /// Decides now.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a key, a weight or a time that cannot be,
    /// and what the store or the route reports: that it could not tell.
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// assert!(limiter.request("user:42").weight(3).try_acquire()?.is_admitted());
    /// assert!(!limiter.request("user:42").weight(3).try_acquire()?.is_admitted());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn try_acquire(self) -> Result<Decision<'a>> {
        let core = self.core;
        let demand = self.demand()?;
        let ruling = core.ask(&demand, Patience::None).wait(&*core.store.timer)?;
        Ok(demand.decision(&ruling))
    }

    /// Decides now, without blocking the executor while a remote store answers.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// # pollster::block_on(async {
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// assert!(limiter.request("user:42").weight(3).try_acquire_async().await?.is_admitted());
    /// # Ok::<(), scupper::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn try_acquire_async(self) -> Result<Decision<'a>> {
        let core = self.core;
        let demand = self.demand()?;
        let ruling = core.ask(&demand, Patience::None).await?;
        Ok(demand.decision(&ruling))
    }

    /// Decides now, and says how the bucket is left: used, remaining and reset of every rate.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// let detailed = limiter.request("user:42").weight(3).detailed()?;
    /// assert_eq!(detailed.snapshot.usage[0].used, 3);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn detailed(self) -> Result<Detailed<'a>> {
        let core = self.core;
        let demand = self.demand()?;
        let mut ruling = core.ask(&demand, Patience::NoneButDetails).wait(&*core.store.timer)?;
        let snapshot = match ruling.snapshot.take() {
            Some(snapshot) => *snapshot,
            None => seen(core.look_at(&demand).wait(), core),
        };
        Ok(Detailed { decision: demand.decision(&ruling), snapshot })
    }

    /// [`detailed`](Self::detailed) without blocking the executor.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// # pollster::block_on(async {
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// assert_eq!(limiter.request("user:42").weight(3).detailed_async().await?.snapshot.remaining(), 2);
    /// # Ok::<(), scupper::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn detailed_async(self) -> Result<Detailed<'a>> {
        let core = self.core;
        let demand = self.demand()?;
        let mut ruling = core.ask(&demand, Patience::NoneButDetails).await?;
        let snapshot = match ruling.snapshot.take() {
            Some(snapshot) => *snapshot,
            None => seen(core.look_at(&demand).get().await, core),
        };
        Ok(Detailed { decision: demand.decision(&ruling), snapshot })
    }

    /// Waits until it is admitted, blocking the calling thread. Requests on one key are served in the order in which they came,
    /// and who does not wait does not pass them.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) as soon as the deadline cannot be met,
    /// [`ErrorKind::NeverFits`](crate::ErrorKind::NeverFits) at once for a request heavier than its rates ever allow,
    /// [`ErrorKind::QueueFull`](crate::ErrorKind::QueueFull), [`ErrorKind::Closed`](crate::ErrorKind::Closed), and those of
    /// [`try_acquire`](Self::try_acquire). None of these has taken anything, save
    /// [`ErrorKind::Unknown`](crate::ErrorKind::Unknown).
    ///
    /// # Examples
    /// ```
    /// use scupper::{Limiter, ManualTimer, Timer};
    ///
    /// let timer = ManualTimer::auto_advancing();
    /// let limiter = Limiter::builder().rates(["5/h".parse()?]).timer(timer.clone()).build()?;
    /// limiter.request("user:42").weight(3).acquire()?;
    /// limiter.request("user:42").weight(3).acquire()?; // an hour later
    /// assert_eq!(timer.now().as_micros(), 3_600_000_001);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn acquire(self) -> Result<Permit<'a>> {
        let core = self.core;
        let demand = self.demand()?;
        let ruling = core.ask(&demand, Patience::Waits).wait(&*core.store.timer)?;
        demand.permit(&ruling)
    }

    /// Waits until it is admitted, on any executor.
    ///
    /// It makes progress whether or not it is polled. Dropping the future leaves the line; what was admitted meanwhile, or by a
    /// call that was under way, is given back. If that fails, its units stay charged for their window.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Examples
    /// ```
    /// # pollster::block_on(async {
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// let permit = limiter.request("user:42").weight(3).acquire_async().await?;
    /// assert_eq!(permit.weight(), 3);
    /// # Ok::<(), scupper::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn acquire_async(self) -> Result<Permit<'a>> {
        let core = self.core;
        let demand = self.demand()?;
        let ruling = core.ask(&demand, Patience::Waits).await?;
        demand.permit(&ruling)
    }

    /// Waits until it is admitted, blocking the calling thread, for something whose cost is known only afterwards: see
    /// [`Reservation`].
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub fn reserve(self) -> Result<Reservation<'a>> {
        let core = self.core;
        let demand = self.demand()?;
        let ruling = core.ask(&demand, Patience::Waits).wait(&*core.store.timer)?;
        demand.reservation(core, &ruling)
    }

    /// [`reserve`](Self::reserve) on any executor.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn reserve_async(self) -> Result<Reservation<'a>> {
        let core = self.core;
        let demand = self.demand()?;
        let ruling = core.ask(&demand, Patience::Waits).await?;
        demand.reservation(core, &ruling)
    }
}

/// What was seen of the bucket of a request that was not admitted; nothing if the look failed, as the decision holds.
fn seen(look: Result<Snapshot>, core: &Core) -> Snapshot {
    look.unwrap_or_else(|_| Snapshot::new(core.store.timer.now(), None, Vec::new()))
}
