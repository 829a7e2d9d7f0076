//! What is done with buckets besides asking them: looking, giving back, taking more, holding, forgetting, listing.

use std::time::Duration;

use crate::error::Result;
use crate::limiter::facade::Limiter;
use crate::permit::Permit;
use crate::store::{Cursor, Page, Snapshot};
use crate::time::Timestamp;

impl Limiter {
    /// How the bucket of this key is now: used, remaining and reset of every rate. Consumes nothing.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// let _decision = limiter.try_acquire("user:42")?;
    /// let usage = limiter.peek("user:42")?.usage[0];
    /// assert_eq!((usage.used, usage.remaining), (1, 4));
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn peek(&self, key: &str) -> Result<Snapshot> {
        self.core.look(&self.core.find(key, 1)?).wait()
    }

    /// [`peek`](Self::peek) without blocking the executor.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub async fn peek_async(&self, key: &str) -> Result<Snapshot> {
        self.core.look(&self.core.find(key, 1)?).get().await
    }

    /// Gives back what a permit took; says how many units that still made a difference, a part of one counted as one. Zero if
    /// they have left every window meanwhile, or if the bucket was reset.
    ///
    /// # Errors
    /// What the store reports. The permit is gone then: its units stay charged for their window.
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["1/h".parse()?]).build()?;
    /// let permit = limiter.acquire("user:42")?;
    /// assert_eq!(limiter.refund(permit)?, 1);
    /// assert!(limiter.try_acquire("user:42")?.is_admitted());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "what is given back cannot be given back again")]
    pub fn refund(&self, permit: Permit<'_>) -> Result<u64> {
        self.core.give_back(&permit).wait()
    }

    /// [`refund`](Self::refund) without blocking the executor.
    ///
    /// # Errors
    /// As for [`refund`](Self::refund).
    pub async fn refund_async(&self, permit: Permit<'_>) -> Result<u64> {
        self.core.give_back(&permit).get().await
    }

    /// Takes units from the bucket of this key whether or not there is room: a debt that has to leave its windows before
    /// anybody is admitted again. Says at which tick it was counted.
    ///
    /// Under a log they leave all at once, an interval later, so that 20 units under `5/s` cost a second. Under
    /// [`Gcra`](crate::Algorithm::Gcra) they drain at the rate: those 20 take four seconds.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire), and
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a number of units outside 1 to
    /// [`Rate::MAX_LIMIT`](crate::Rate::MAX_LIMIT).
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["5/h".parse()?]).build()?;
    /// limiter.penalize("user:42", 20)?;
    /// let wait = limiter.try_acquire("user:42")?.retry_after();
    /// assert!(wait.is_some_and(|wait| wait <= std::time::Duration::from_hours(1)));
    /// assert_eq!(limiter.peek("user:42")?.usage[0].used, 20);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn penalize(&self, key: &str, units: u64) -> Result<Timestamp> {
        self.core.charge(&self.core.find(key, units)?, units)?.wait()
    }

    /// [`penalize`](Self::penalize) without blocking the executor.
    ///
    /// # Errors
    /// As for [`penalize`](Self::penalize).
    pub async fn penalize_async(&self, key: &str, units: u64) -> Result<Timestamp> {
        self.core.charge(&self.core.find(key, units)?, units)?.get().await
    }

    /// Admits nobody on this key until `duration` has passed on the store's clock: what to do when a server said *come
    /// back later*. An earlier, longer hold stays. Says until when. The local rates of
    /// [`OutagePolicy::Fallback`](crate::OutagePolicy::Fallback) hold as well, also where the store cannot be told.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// use scupper::{Cause, Decision, Limiter};
    /// use std::time::Duration;
    ///
    /// let limiter = Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// limiter.hold("api.example.com", Duration::from_secs(30))?;
    /// let decision = limiter.try_acquire("api.example.com")?;
    /// assert!(matches!(decision, Decision::Denied(denied) if denied.cause() == Cause::Held));
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn hold(&self, key: &str, duration: Duration) -> Result<Timestamp> {
        self.core.hold_back(&self.core.find(key, 1)?, duration).wait()
    }

    /// [`hold`](Self::hold) without blocking the executor.
    ///
    /// # Errors
    /// As for [`hold`](Self::hold).
    pub async fn hold_async(&self, key: &str, duration: Duration) -> Result<Timestamp> {
        self.core.hold_back(&self.core.find(key, 1)?, duration).get().await
    }

    /// Forgets all that was taken on this key, and any hold. Says whether there was anything. The empty bucket stays for one
    /// retention, so that no older permit can be given back into it.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["1/h".parse()?]).build()?;
    /// let _first = limiter.try_acquire("user:42")?;
    /// assert!(limiter.reset("user:42")?);
    /// assert!(limiter.try_acquire("user:42")?.is_admitted());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn reset(&self, key: &str) -> Result<bool> {
        self.core.forget(&self.core.find(key, 1)?).wait()
    }

    /// [`reset`](Self::reset) without blocking the executor.
    ///
    /// # Errors
    /// As for [`reset`](Self::reset).
    pub async fn reset_async(&self, key: &str) -> Result<bool> {
        self.core.forget(&self.core.find(key, 1)?).get().await
    }

    /// Keys of buckets in the store, not of requests, that begin with `prefix` and owe something, `most` (at least 1) at a time
    /// and in no order. Go on with the page's cursor. Buckets that come or go meanwhile may be missed or seen twice. Where a
    /// route chooses buckets, manage what is listed by [`bucket_under`](Self::bucket_under).
    ///
    /// # Errors
    /// What the store reports.
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["1/h".parse()?]).build()?;
    /// let _first = limiter.try_acquire("user:42")?;
    /// assert_eq!(limiter.list("user:", None, 100)?.keys, ["user:42"]);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn list(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Result<Page> {
        self.core.page(prefix, after, most).wait()
    }

    /// [`list`](Self::list) without blocking the executor.
    ///
    /// # Errors
    /// As for [`list`](Self::list).
    pub async fn list_async(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Result<Page> {
        self.core.page(prefix, after, most).get().await
    }
}
