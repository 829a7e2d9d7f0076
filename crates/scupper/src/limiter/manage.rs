//! What is done with buckets besides asking them: looking, giving back, taking more, holding, forgetting, listing.

use std::time::Duration;

use crate::decision::Permit;
use crate::error::Result;
use crate::limiter::answer::{Answer, only, unexpected};
use crate::limiter::core::check_weight;
use crate::limiter::facade::Limiter;
use crate::store::{Action, Cursor, Operation, Page, Reply, Snapshot};
use crate::time::Timestamp;

/// Reads the one reply of a batch, which a store that keeps the contract answers in this form.
macro_rules! read {
    ($reply:path) => {
        |outcomes| match only(outcomes)? {
            $reply(answer) => Ok(answer),
            other => Err(unexpected(&format!("{other:?}"))),
        }
    };
}

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
        self.look(key)?.wait()
    }

    /// [`peek`](Self::peek) without blocking the executor.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub async fn peek_async(&self, key: &str) -> Result<Snapshot> {
        self.look(key)?.get().await
    }

    fn look(&self, key: &str) -> Result<Answer<Snapshot>> {
        let routed = self.core.route.find(key, 1)?;
        let operation = Operation::new(&routed.key, Action::Peek { quota: &routed.quota });
        Ok(self.core.submit(&operation, read!(Reply::Peeked)))
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
        self.give_back(&permit).wait()
    }

    /// [`refund`](Self::refund) without blocking the executor.
    ///
    /// # Errors
    /// As for [`refund`](Self::refund).
    pub async fn refund_async(&self, permit: Permit<'_>) -> Result<u64> {
        self.give_back(&permit).get().await
    }

    fn give_back(&self, permit: &Permit<'_>) -> Answer<u64> {
        let operation = Operation::new(permit.key(), Action::Refund(permit.admission()));
        self.core.submit(&operation, read!(Reply::Refunded))
    }

    /// Takes units from the bucket of this key whether or not there is room: a debt that has to leave its windows before
    /// anybody is admitted again. Says at which tick it was counted.
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
    /// assert!(!limiter.try_acquire("user:42")?.is_admitted());
    /// assert_eq!(limiter.peek("user:42")?.usage[0].used, 20);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn penalize(&self, key: &str, units: u64) -> Result<Timestamp> {
        self.charge(key, units)?.wait()
    }

    /// [`penalize`](Self::penalize) without blocking the executor.
    ///
    /// # Errors
    /// As for [`penalize`](Self::penalize).
    pub async fn penalize_async(&self, key: &str, units: u64) -> Result<Timestamp> {
        self.charge(key, units)?.get().await
    }

    fn charge(&self, key: &str, units: u64) -> Result<Answer<Timestamp>> {
        check_weight(units)?;
        let routed = self.core.route.find(key, units)?;
        let operation = Operation::new(&routed.key, Action::Penalize { quota: &routed.quota, units });
        Ok(self.core.submit(&operation, read!(Reply::Penalized)))
    }

    /// Admits nobody on this key until `duration` has passed on the store's clock: what to do when a server said *come
    /// back later*. An earlier, longer hold stays. Says until when.
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
        self.hold_back(key, duration)?.wait()
    }

    /// [`hold`](Self::hold) without blocking the executor.
    ///
    /// # Errors
    /// As for [`hold`](Self::hold).
    pub async fn hold_async(&self, key: &str, duration: Duration) -> Result<Timestamp> {
        self.hold_back(key, duration)?.get().await
    }

    fn hold_back(&self, key: &str, duration: Duration) -> Result<Answer<Timestamp>> {
        let routed = self.core.route.find(key, 1)?;
        let operation = Operation::new(&routed.key, Action::Hold { quota: &routed.quota, duration });
        Ok(self.core.submit(&operation, read!(Reply::Held)))
    }

    /// Forgets all that was taken on this key, and any hold. Says whether there was anything.
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
        self.forget(key)?.wait()
    }

    /// [`reset`](Self::reset) without blocking the executor.
    ///
    /// # Errors
    /// As for [`reset`](Self::reset).
    pub async fn reset_async(&self, key: &str) -> Result<bool> {
        self.forget(key)?.get().await
    }

    fn forget(&self, key: &str) -> Result<Answer<bool>> {
        let routed = self.core.route.find(key, 1)?;
        Ok(self.core.submit(&Operation::new(&routed.key, Action::Reset), read!(Reply::Reset)))
    }

    /// Keys of buckets in the store that begin with `prefix` and owe something, `most` (at least 1) at a time and in no
    /// order. Go on with the page's cursor. Buckets that come or go meanwhile may be missed or seen twice.
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
        self.page(prefix, after, most).wait()
    }

    /// [`list`](Self::list) without blocking the executor.
    ///
    /// # Errors
    /// As for [`list`](Self::list).
    pub async fn list_async(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Result<Page> {
        self.page(prefix, after, most).get().await
    }

    fn page(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Answer<Page> {
        let operation = Operation::new(prefix, Action::List { after, most: most.max(1) });
        self.core.submit(&operation, read!(Reply::Listed))
    }
}
