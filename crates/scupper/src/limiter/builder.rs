use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::guard::{GuardSettings, GuardedStore, OutagePolicy};
use crate::limiter::core::Core;
use crate::limiter::facade::Limiter;
use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::rates::Rates;
use crate::route::{Route, RouteRequest, Routed};
use crate::store::{MemoryStore, Store};
use crate::sync::Arc;
use crate::timer::{SystemTimer, Timer};
use crate::waiting::Room;

/// Sets up a [`Limiter`].
///
/// It needs either rates, for all keys alike, or a route that chooses them.
///
/// # Examples
/// ```
/// use scupper::{Algorithm, Limiter, Rate};
///
/// let limiter = Limiter::builder()
///     .algorithm(Algorithm::TOKEN_BUCKET)
///     .rate(Rate::per_second(5)?.with_burst(10)?)
///     .build()?;
/// assert!(limiter.request("user:42").weight(10).try_acquire()?.is_admitted());
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct LimiterBuilder {
    rates: Vec<Rate>,
    algorithm: Option<Algorithm>,
    choice: Choice,
    store: Option<Arc<dyn Store>>,
    timer: Option<Arc<dyn Timer>>,
    most_waiting: Option<usize>,
    guard: GuardSettings,
}

#[derive(Default)]
enum Choice {
    #[default]
    PerKey,
    SingleBucket(Box<str>),
    Route(Route),
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerKey => f.write_str("PerKey"),
            Self::SingleBucket(key) => f.debug_tuple("SingleBucket").field(key).finish(),
            Self::Route(route) => route.fmt(f),
        }
    }
}

impl Limiter {
    /// Sets up a limiter.
    pub fn builder() -> LimiterBuilder {
        LimiterBuilder::default()
    }
}

impl LimiterBuilder {
    /// How many requests may stand in line on one key unless another maximum is set.
    pub const MAX_WAITING: usize = 65_536;
    /// How long a call to a remote store may take unless another limit is set: a second.
    pub const CALL_TIMEOUT: Duration = GuardSettings::CALL_LIMIT;
    /// For how long a denial of a remote store is believed unless another time is set: 100 ms.
    pub const DENIAL_CACHE: Duration = GuardSettings::KEEP_DENIALS;

    /// Adds a rate. Together, rates must make a list that [`Rates`] accepts: in order of their interval.
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rates.push(rate);
        self
    }

    /// Adds rates, in order of their interval.
    pub fn rates(mut self, rates: impl IntoIterator<Item = Rate>) -> Self {
        self.rates.extend(rates);
        self
    }

    /// Rates and algorithm at once, in place of those that were set before.
    pub fn quota(mut self, quota: &Quota) -> Self {
        self.rates = quota.rates().to_vec();
        self.algorithm = Some(quota.algorithm());
        self
    }

    /// The algorithm; [`Algorithm::SlidingWindowLog`] unless set.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Counts all requests together, in the bucket of this name, whatever their key. Without it each key has its own.
    pub fn single_bucket(mut self, name: impl Into<Box<str>>) -> Self {
        self.choice = Choice::SingleBucket(name.into());
        self
    }

    /// Chooses bucket, rates and algorithm of each request; see [`Routed`]. The limiter then has no rates of its own.
    ///
    /// It is asked for every request and should be quick. What it reports as an error is reported to the caller.
    pub fn route<F>(mut self, choose: F) -> Self
    where
        F: for<'a> Fn(RouteRequest<'a>) -> Result<Routed<'a>> + Send + Sync + 'static,
    {
        self.choice = Choice::Route(Route::Choice(Arc::new(choose)));
        self
    }

    /// Where buckets live; a [`MemoryStore`] of its own unless set.
    ///
    /// The key alone names a bucket: limiters on one store count together what goes to one key, whatever their rates. For
    /// separate counts of the same keys, requests and tokens say, give each limiter a store of its own, or a route that
    /// prefixes the keys.
    ///
    /// A store on a clock of its own, such as a memory store on a [`ManualTimer`](crate::ManualTimer), goes with a limiter
    /// on the same: give it to [`timer`](Self::timer) as well. Otherwise requests wait on one clock for what is decided on
    /// another.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Where buckets live, for a store that is shared with others already.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// What waiting requests sleep on, and the clock of the default store; a [`SystemTimer`] unless set.
    pub fn timer(mut self, timer: impl Timer) -> Self {
        self.timer = Some(Arc::new(timer));
        self
    }

    /// How many requests may wait in line on one key; [`MAX_WAITING`](Self::MAX_WAITING) unless set. Further ones get
    /// [`ErrorKind::QueueFull`]. With 0 nobody waits.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ErrorKind, Limiter};
    ///
    /// let limiter = Limiter::builder().rates(["1/h".parse()?]).max_waiting(0).build()?;
    /// let _first = limiter.acquire("user:42")?;
    /// assert_eq!(limiter.acquire("user:42").unwrap_err().kind(), ErrorKind::QueueFull);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn max_waiting(mut self, requests: usize) -> Self {
        self.most_waiting = Some(requests);
        self
    }

    /// How long a call to a remote store, which is one that answers [later](crate::store::Submission::Pending), may take; a
    /// second unless set, without limit if `None`.
    /// One that took longer is an outage: see [`on_outage`](Self::on_outage). What it admits yet is given back, unless the
    /// policy let the request pass.
    pub fn call_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.guard.call_limit = limit.into();
        self
    }

    /// What becomes of requests when the store cannot tell; an error unless set.
    pub fn on_outage(mut self, policy: OutagePolicy) -> Self {
        self.guard.policy = policy;
        self
    }

    /// For how long a denial of a remote store is believed without asking again, counted from when it was asked, and never
    /// longer than until the same request would be admitted; 100 ms unless set, not at all if
    /// zero. What is given back in this process ends it; what other processes give back is seen so much later.
    ///
    /// It is for requests that do not wait, on the same key and of the same weight.
    pub fn denial_cache(mut self, keep: Duration) -> Self {
        self.guard.keep_denials = keep;
        self
    }

    /// The limiter.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRate`] if the rates make no list, or have a burst that the algorithm does not know;
    /// [`ErrorKind::InvalidConfig`] if a route is given and rates or an algorithm besides.
    pub fn build(self) -> Result<Limiter> {
        let route = match self.choice {
            Choice::Route(_) if !self.rates.is_empty() || self.algorithm.is_some() => {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    "the limiter has a route and rates or an algorithm besides; the route chooses them, leave the others out",
                ));
            }
            Choice::Route(route) => route,
            Choice::PerKey => Route::PerKey(quota(self.algorithm, self.rates)?),
            Choice::SingleBucket(name) => Route::SingleBucket(name, quota(self.algorithm, self.rates)?),
        };
        let store = self.store.unwrap_or_else(|| match &self.timer {
            Some(timer) => Arc::new(MemoryStore::builder().shared_timer(Arc::clone(timer)).build()),
            None => Arc::new(MemoryStore::new()),
        });
        let timer = self.timer.unwrap_or_else(|| Arc::new(SystemTimer::new()));
        let any: &dyn Any = &*store;
        let memory = any.downcast_ref().cloned();
        let room = Room::of(&*store);
        let store = Arc::new(GuardedStore::new(store, timer, self.guard));
        let most_waiting = self.most_waiting.unwrap_or(Self::MAX_WAITING);
        Ok(Limiter { core: Arc::new(Core::new(route, store, memory, room, most_waiting)) })
    }
}

fn quota(algorithm: Option<Algorithm>, rates: Vec<Rate>) -> Result<Quota> {
    Quota::new(algorithm.unwrap_or_default(), Rates::new(rates)?)
}
