//! Who decides for the buckets in a store.

use std::error::Error as _;
use std::future::poll_fn;
use std::mem::{forget, replace};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use scupper::{Decision, Error, ErrorKind, Limiter, Quota, Rate, Rates, Result, SystemTimer, Timer, Timestamp};

use crate::argument::Patience;
use crate::millis::rounded_up;
use crate::options::Options;
use crate::place::Place;
use crate::quota::{misfit, never_fits};
use crate::reckoning::Reckoning;
use crate::stores::Opened;

pub(crate) struct OnStore {
    opened: Mutex<Opened>,
    pub(crate) place: Place,
    options: Options,
    /// Locked by threads that have the interpreter, and never while Python code runs.
    inside: Mutex<Inside>,
    is_closed: AtomicBool,
    reckoning: Reckoning,
}

struct Inside {
    limiter: Limiter,
    quota: Quota,
    denial: Option<Refusal>,
}

/// Why a request was denied last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) weight: u64,
    /// The place of the rate that has no room; the first where something else stands in the way.
    pub(crate) rate: usize,
    /// How many milliseconds to wait; -1 for ever.
    pub(crate) wait_ms: i64,
    /// When that is, in milliseconds on the store's clock.
    pub(crate) retry_at_ms: i64,
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ruled {
    /// At this time of the store.
    Admitted(Timestamp),
    /// By this rate, for so long; -1 for ever.
    Denied { rate: Option<Rate>, wait_ms: i64 },
}

/// A request under way. Dropping it leaves the line, and gives back what was admitted meanwhile.
pub(crate) type Asked = Pin<Box<dyn Future<Output = Result<Ruled>> + Send>>;

impl OnStore {
    pub(crate) fn new(opened: Opened, quota: Quota, place: Place, options: Options) -> Result<Self> {
        let limiter = build(&opened, &quota, &options)?;
        let inside = Mutex::new(Inside { limiter, quota, denial: None });
        let (is_closed, reckoning) = (AtomicBool::new(false), Reckoning::new());
        Ok(Self { opened: Mutex::new(opened), place, options, inside, is_closed, reckoning })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn opened(&self) -> Opened {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn limiter(&self) -> Limiter {
        self.inside().limiter.clone()
    }

    pub(crate) fn quota(&self) -> Quota {
        self.inside().quota.clone()
    }

    pub(crate) fn denial(&self) -> Option<Refusal> {
        self.inside().denial
    }

    /// Decides now in the memory of this process, behind those who wait; nothing is decided in another store.
    #[inline]
    pub(crate) fn decide_in_memory(&self, key: &str, weight: u64) -> Result<Ruled> {
        let mut inside = self.inside();
        let ruled = match never_fits(&inside.limiter, &inside.quota, weight) {
            Some(place) => Ruled::never(&inside.quota, place),
            None if weight == 1 => Ruled::from(&inside.limiter.try_acquire(key)?),
            None => Ruled::from(&inside.limiter.request(key).weight(weight).try_acquire()?),
        };
        self.note_inside(&mut inside, weight, ruled);
        Ok(ruled)
    }

    /// A request that begins when it is first polled.
    pub(crate) fn ask(&self, key: &str, weight: u64, at: Option<Timestamp>, patience: Patience) -> Asked {
        let inside = self.inside();
        let (limiter, quota, key) = (inside.limiter.clone(), inside.quota.clone(), key.to_owned());
        drop(inside);
        let denies_in_outages = self.options.denies_in_outages();
        Box::pin(async move {
            if let Some(place) = never_fits(&limiter, &quota, weight) {
                return Ok(Ruled::never(&quota, place));
            }
            let began = SystemTimer::new().now();
            let request = limiter.request(&key).weight(weight);
            let request = if let Some(at) = at { request.at(at) } else { request };
            let request = match patience {
                Patience::Goes => return request.try_acquire_async().await.map(|decision| Ruled::from(&decision)),
                Patience::Waits => request,
                Patience::WaitsFor(limit) => request.timeout(limit),
            };
            match request.acquire_async().await {
                Ok(permit) => Ok(Ruled::Admitted(permit.tick())),
                Err(error) => {
                    not_admitted(error, denies_in_outages)?;
                    let until = if let Patience::WaitsFor(limit) = patience { Some(began + limit) } else { None };
                    Ok(given_up(&limiter, &quota, &key, weight, until).await)
                }
            }
        })
    }

    /// Whether requests may be denied because the store cannot tell.
    pub(crate) fn denies_in_outages(&self) -> bool {
        self.options.denies_in_outages()
    }

    /// Takes down what came of a request; says whether it was admitted.
    pub(crate) fn note(&self, weight: u64, ruled: Ruled) -> bool {
        if let Ruled::Admitted(tick) = ruled {
            self.reckoning.learn(tick);
        }
        self.note_inside(&mut self.inside(), weight, ruled);
        matches!(ruled, Ruled::Admitted(_))
    }

    #[inline]
    fn note_inside(&self, inside: &mut Inside, weight: u64, ruled: Ruled) {
        match ruled {
            Ruled::Admitted(_) => inside.denial = None,
            Ruled::Denied { rate, wait_ms } => {
                let place = inside.quota.rates().iter().position(|other| Some(*other) == rate);
                let now_ms = rounded_up(self.reckoning.now());
                let retry_at_ms = if wait_ms < 0 { -1 } else { now_ms.saturating_add(wait_ms) };
                inside.denial = Some(Refusal { weight, rate: place.unwrap_or_default(), wait_ms, retry_at_ms });
            }
        }
    }

    /// What the store's clock reads. That of this process's memory is looked at; others have told it before.
    pub(crate) fn now(&self) -> Timestamp {
        let looked = self.opened().memory.and_then(|_| self.limiter().peek("").ok());
        if let Some(snapshot) = looked {
            self.reckoning.learn(snapshot.now);
        }
        self.reckoning.now()
    }

    /// Holds requests to these rates from now on, those that wait included.
    pub(crate) fn set_rates(&self, rates: Rates) -> Result<()> {
        let mut inside = self.inside();
        let quota = Quota::new(inside.quota.algorithm(), rates)?;
        inside.limiter.set_rates(quota.rates().clone())?;
        (inside.quota, inside.denial) = (quota, None);
        Ok(())
    }

    pub(crate) fn forget_denial(&self) {
        self.inside().denial = None;
    }

    /// Lets nobody acquire any more, and wakes those who wait.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.limiter().close();
    }

    /// Lets others use it again after it was closed.
    pub(crate) fn reopen(&self) -> Result<()> {
        if self.is_closed.load(Ordering::Relaxed) {
            self.inside().limiter = build(&self.opened(), &self.quota(), &self.options)?;
            self.is_closed.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// In a child after a fork: memory of this process is begun anew, as what another thread was at in the parent stays locked for
    /// ever. Other stores see to that themselves.
    pub(crate) fn begin_anew(&self) -> Result<()> {
        if self.opened().memory.is_none() {
            return Ok(());
        }
        let (fresh, mut inside) = (Opened::in_memory(), self.inside());
        let limiter = build(&fresh, &inside.quota, &self.options)?;
        let before = (
            replace(&mut inside.limiter, limiter),
            replace(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner), fresh),
        );
        // What is locked in it is not to be met.
        forget(before);
        Ok(())
    }
}

impl Ruled {
    /// By the rate at this place, for ever.
    fn never(quota: &Quota, place: usize) -> Self {
        Self::Denied { rate: quota.rates().get(place).copied(), wait_ms: -1 }
    }
}

impl From<&Decision<'_>> for Ruled {
    #[inline]
    fn from(decision: &Decision<'_>) -> Self {
        match decision {
            Decision::Admitted(permit) => Self::Admitted(permit.tick()),
            Decision::Denied(denied) => {
                Self::Denied { rate: denied.binding_rate(), wait_ms: whole_millis(denied.retry_after()) }
            }
            Decision::NeverFits(never) => Self::Denied { rate: Some(never.rate()), wait_ms: -1 },
        }
    }
}

/// Whether an error says that one who waited is not admitted in time, or ever.
///
/// # Errors
/// The error, if it says something else; that the store could not tell, unless requests are denied then.
#[cold]
pub(crate) fn not_admitted(error: Error, denies_in_outages: bool) -> Result<()> {
    let was_silent = || {
        let cause = error.source().and_then(|cause| cause.downcast_ref::<Error>());
        cause.is_some_and(|cause| cause.kind() == ErrorKind::Unavailable)
    };
    match error.kind() {
        ErrorKind::Timeout if was_silent() && !denies_in_outages => {
            Err(Error::new(ErrorKind::Unavailable, error.message().to_owned()))
        }
        ErrorKind::Timeout | ErrorKind::NeverFits => Ok(()),
        ErrorKind::Unknown | ErrorKind::Unavailable if denies_in_outages => Ok(()),
        _ => Err(error),
    }
}

/// Why nobody was admitted who waited: what is in the way now, and how long at the most. Without an answer until then, that is
/// not known.
#[cold]
async fn given_up(limiter: &Limiter, quota: &Quota, key: &str, weight: u64, until: Option<Timestamp>) -> Ruled {
    if let Some(place) = misfit(quota, weight) {
        return Ruled::never(quota, place);
    }
    // That it was not admitted is certain, whatever comes of this look.
    let snapshot = in_time(limiter.peek_async(key), until).await.and_then(Result::ok);
    let full = snapshot.as_ref().and_then(|seen| {
        let usage = seen.usage.iter().find(|usage| usage.remaining < weight)?;
        Some((usage.rate, whole_millis(usage.reset_at.since(seen.now))))
    });
    let (rate, wait_ms) = full.unzip();
    Ruled::Denied { rate, wait_ms: wait_ms.unwrap_or_default() }
}

/// What is there at once or by this time.
async fn in_time<T>(work: impl Future<Output = T>, until: Option<Timestamp>) -> Option<T> {
    let (timer, mut work, mut alarm) = (SystemTimer::new(), pin!(work), None);
    poll_fn(|context| {
        if let Poll::Ready(outcome) = work.as_mut().poll(context) {
            return Poll::Ready(Some(outcome));
        }
        let Some(until) = until else { return Poll::Pending };
        if timer.now() >= until {
            return Poll::Ready(None);
        }
        alarm = timer.wake_at(until, context.waker().clone()).ok();
        if alarm.is_some() { Poll::Pending } else { Poll::Ready(None) }
    })
    .await
}

fn whole_millis(wait: Duration) -> i64 {
    i64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(i64::MAX)
}

fn build(opened: &Opened, quota: &Quota, options: &Options) -> Result<Limiter> {
    let builder = Limiter::builder().quota(quota).shared_store(opened.store.clone());
    options.set(builder).build()
}
