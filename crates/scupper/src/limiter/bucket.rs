use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::decision::{Decision, Denied, Permit};
use crate::error::Result;
use crate::limiter::core::{Ask, Core};
use crate::limiter::request::{Request, Whom};
use crate::limiter::shortcut::Shortcut;
use crate::quota::Quota;
use crate::route::Routed;
use crate::store::Snapshot;
use crate::sync::Arc;
use crate::time::Timestamp;

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
    pub(super) key: Arc<str>,
    pub(super) quota: Quota,
    pub(super) shortcut: Option<Shortcut>,
}

impl Bucket {
    /// The key of the bucket: the one that was asked for unless the limiter's route chose another.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The quota that requests by this handle are held to.
    #[must_use]
    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Decides on one unit now.
    ///
    /// # Errors
    /// As for [`Limiter::try_acquire`](crate::Limiter::try_acquire).
    #[inline(always)]
    pub fn try_acquire(&self) -> Result<Decision<'_>> {
        if let Some(admission) = self.shortcut.as_ref().and_then(|shortcut| shortcut.admit_one(&self.quota)) {
            return Ok(Decision::Admitted(Permit::new(Cow::Borrowed(&self.key), admission)));
        }
        self.decide()
    }

    #[inline(never)]
    fn decide(&self) -> Result<Decision<'_>> {
        let Some(shortcut) = &self.shortcut else { return self.request().try_acquire() };
        if let Some(denial) = shortcut.known_denial(&self.quota) {
            return Ok(Decision::Denied(Denied::new(&denial, &self.quota)));
        }
        let verdict = shortcut.acquire(&self.quota, 1)?;
        Ok(Decision::new(&verdict, Cow::Borrowed(&self.key), &self.quota, 1))
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

    /// Takes units whether or not there is room; see [`Limiter::penalize`](crate::Limiter::penalize).
    ///
    /// # Errors
    /// As for [`Limiter::penalize`](crate::Limiter::penalize).
    pub fn penalize(&self, units: u64) -> Result<Timestamp> {
        self.core.charge(&self.routed(), units)?.wait()
    }

    /// Admits nobody for a while; see [`Limiter::hold`](crate::Limiter::hold).
    ///
    /// # Errors
    /// What the store reports.
    pub fn hold(&self, duration: Duration) -> Result<Timestamp> {
        self.core.hold_back(&self.routed(), duration).wait()
    }

    /// Forgets all that was taken, and any hold; see [`Limiter::reset`](crate::Limiter::reset).
    ///
    /// # Errors
    /// What the store reports.
    pub fn reset(&self) -> Result<bool> {
        self.core.forget(&self.routed()).wait()
    }

    fn routed(&self) -> Routed<'_> {
        Routed { key: Cow::Borrowed(&self.key), quota: Cow::Borrowed(&self.quota) }
    }

    /// A request that says more: weight, timeout, time.
    pub fn request(&self) -> Request<'_> {
        let ask = Ask {
            key: Cow::Borrowed(&self.key),
            quota: Cow::Borrowed(&self.quota),
            shortcut: self.shortcut.as_ref(),
            weight: 1,
            at: None,
        };
        Request::new(&self.core, Whom::Bucket(ask))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("key", &self.key).field("quota", &self.quota).finish_non_exhaustive()
    }
}
