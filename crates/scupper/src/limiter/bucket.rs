use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::decision::{Decision, Denied};
use crate::error::Result;
use crate::limiter::core::{Core, Demand};
use crate::limiter::request::{Request, Whom};
use crate::limiter::shortcut::Shortcut;
use crate::permit::Permit;
use crate::quota::Quota;
use crate::route::Routed;
use crate::store::Snapshot;
use crate::sync::Arc;
use crate::time::Timestamp;
use crate::waiting::{Gate, Pass};

/// A handle to one bucket: routed and looked up once, so that a decision costs little more than reading the clock.
///
/// Cheap to clone. Where the store decides in this process, the bucket stays in it as long as a handle exists.
///
/// # Examples
/// ```
/// use scupper::{Limiter, Rate};
///
/// let limiter = Limiter::builder().rate(Rate::per_second(2)?).build()?;
/// let bucket = limiter.bucket("user:42")?;
/// assert!(bucket.try_acquire()?.is_admitted());
/// assert!(limiter.try_acquire("user:42")?.is_admitted());
/// assert!(!bucket.try_acquire()?.is_admitted());
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone)]
pub struct Bucket {
    pub(super) core: Arc<Core>,
    /// The room's, at hand.
    pub(super) gate: Arc<Gate>,
    pub(super) key: Arc<str>,
    /// As it was when the handle was made.
    pub(super) quota: Quota,
    /// Whether the quota is the limiter's own, and changes with it.
    pub(super) follows: bool,
    /// Opens the room's gate for as long as the limiter is as it was then.
    pub(super) pass: Pass,
    pub(super) shortcut: Option<Shortcut>,
}

impl Bucket {
    /// The key of the bucket: the one that was asked for unless the limiter's route chose another.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The quota that requests by this handle are held to: the limiter's, as [`Limiter::set_rates`](crate::Limiter::set_rates)
    /// has left it, unless a route or the caller chose another.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.routed().quota.into_owned()
    }

    /// Decides on one unit now.
    ///
    /// # Errors
    /// As for [`Limiter::try_acquire`](crate::Limiter::try_acquire).
    #[inline(always)]
    pub fn try_acquire(&self) -> Result<Decision<'_>> {
        match &self.shortcut {
            Some(shortcut) if self.gate.is_open(&self.pass) => {
                if let Some(admission) = shortcut.admit_one(&self.quota) {
                    return Ok(Decision::Admitted(Permit::new(Cow::Borrowed(&self.key), admission)));
                }
                self.decide(shortcut)
            }
            _ => self.decide_with_care(),
        }
    }

    #[inline(never)]
    fn decide(&self, shortcut: &Shortcut) -> Result<Decision<'_>> {
        if let Some(denial) = shortcut.known_denial(&self.quota) {
            return Ok(Decision::Denied(Denied::new(&denial, &self.quota)));
        }
        let verdict = shortcut.acquire(&self.quota, 1)?;
        Ok(Decision::new(&verdict, Cow::Borrowed(&self.key), &self.quota, 1))
    }

    /// Where somebody waits, or a limiter has changed.
    #[cold]
    fn decide_with_care(&self) -> Result<Decision<'_>> {
        let seen = self.gate.look();
        let is_as_it_was = *self.routed().quota == self.quota;
        if is_as_it_was && !self.core.is_closed() {
            self.pass.renew(seen);
        }
        self.request().try_acquire()
    }

    /// Waits for one unit, blocking the calling thread.
    ///
    /// # Errors
    /// As for [`Request::acquire`].
    pub fn acquire(&self) -> Result<Permit<'_>> {
        self.request().acquire()
    }

    /// Waits for one unit, on any executor.
    ///
    /// # Errors
    /// As for [`Request::acquire`].
    pub async fn acquire_async(&self) -> Result<Permit<'_>> {
        self.request().acquire_async().await
    }

    /// Decides on one unit now, without blocking the executor while a remote store answers.
    ///
    /// # Errors
    /// As for [`Limiter::try_acquire`](crate::Limiter::try_acquire).
    pub async fn try_acquire_async(&self) -> Result<Decision<'_>> {
        self.request().try_acquire_async().await
    }

    /// How the bucket is now; see [`Limiter::peek`](crate::Limiter::peek).
    ///
    /// # Errors
    /// What the store reports.
    pub fn peek(&self) -> Result<Snapshot> {
        self.core.look(&self.routed()).wait()
    }

    /// [`peek`](Self::peek) without blocking the executor.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn peek_async(&self) -> Result<Snapshot> {
        self.core.look(&self.routed()).get().await
    }

    /// Takes units whether or not there is room; see [`Limiter::penalize`](crate::Limiter::penalize).
    ///
    /// # Errors
    /// As for [`Limiter::penalize`](crate::Limiter::penalize).
    pub fn penalize(&self, units: u64) -> Result<Timestamp> {
        self.core.charge(&self.routed(), units)?.wait()
    }

    /// [`penalize`](Self::penalize) without blocking the executor.
    ///
    /// # Errors
    /// As for [`Limiter::penalize`](crate::Limiter::penalize).
    pub async fn penalize_async(&self, units: u64) -> Result<Timestamp> {
        self.core.charge(&self.routed(), units)?.get().await
    }

    /// Admits nobody for a while; see [`Limiter::hold`](crate::Limiter::hold).
    ///
    /// # Errors
    /// What the store reports.
    pub fn hold(&self, duration: Duration) -> Result<Timestamp> {
        self.core.hold_back(&self.routed(), duration).wait()
    }

    /// [`hold`](Self::hold) without blocking the executor.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn hold_async(&self, duration: Duration) -> Result<Timestamp> {
        self.core.hold_back(&self.routed(), duration).get().await
    }

    /// Forgets all that was taken, and any hold; see [`Limiter::reset`](crate::Limiter::reset).
    ///
    /// # Errors
    /// What the store reports.
    pub fn reset(&self) -> Result<bool> {
        self.core.forget(&self.routed()).wait()
    }

    /// [`reset`](Self::reset) without blocking the executor.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn reset_async(&self) -> Result<bool> {
        self.core.forget(&self.routed()).get().await
    }

    fn routed(&self) -> Routed<'_> {
        let changed = if self.follows { self.core.changed_quota() } else { None };
        let quota = changed.map_or(Cow::Borrowed(&self.quota), Cow::Owned);
        Routed { key: Cow::Borrowed(&self.key), quota, follows: self.follows }
    }

    /// A request that says more: weight, timeout, time.
    pub fn request(&self) -> Request<'_> {
        let demand = Demand { shortcut: self.shortcut.as_ref(), ..Demand::new(self.routed(), 1) };
        Request::new(&self.core, Whom::Bucket(demand))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("key", &self.key).field("quota", &self.quota).finish_non_exhaustive()
    }
}
