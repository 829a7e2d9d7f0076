use std::fmt;

use crate::detached::detach;
use crate::error::{Error, ErrorKind, Result};
use crate::limiter::answer::Answer;
use crate::limiter::core::Core;
use crate::permit::Permit;
use crate::quota::Quota;
use crate::rate::Rate;
use crate::sync::Arc;

/// Units that were taken for something whose cost is known only afterwards: the tokens of a language model's answer, the bytes
/// of a download.
///
/// [`settle`](Self::settle) says what it did cost: what was reserved beyond that is given back, what it cost beyond the
/// reservation is taken whether or not there is room. A reservation that is dropped unsettled is given back whole, in the
/// background; nobody is told if that fails.
///
/// Made by [`Request::reserve`](crate::Request::reserve) and [`Request::reserve_async`](crate::Request::reserve_async). To keep
/// what was reserved, settle for its weight.
///
/// # Examples
/// ```
/// use scupper::Limiter;
///
/// let limiter = Limiter::builder().rates(["10000/min".parse()?]).build()?;
/// let reservation = limiter.request("model").weight(4_000).reserve()?;
/// // … ask the model, and see what it took …
/// reservation.settle(1_250)?;
/// assert_eq!(limiter.peek("model")?.usage[0].used, 1_250);
///
/// let failed = limiter.request("model").weight(4_000).reserve()?;
/// drop(failed);
/// assert_eq!(limiter.peek("model")?.usage[0].used, 1_250);
/// # Ok::<(), scupper::Error>(())
/// ```
#[must_use = "a reservation that is dropped is given back"]
pub struct Reservation<'a> {
    core: Arc<Core>,
    quota: Quota,
    /// None once it is settled.
    permit: Option<Permit<'a>>,
}

impl<'a> Reservation<'a> {
    pub(super) fn new(core: &Arc<Core>, quota: Quota, permit: Permit<'a>) -> Self {
        Self { core: Arc::clone(core), quota, permit: Some(permit) }
    }

    /// Units that are reserved.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.permit.as_ref().map_or(0, Permit::weight)
    }

    /// Says what it did cost, in units, from 0 to [`Rate::MAX_LIMIT`].
    ///
    /// Where more was used than reserved, the excess is counted now, as a [penalty](crate::Limiter::penalize): it counts against
    /// the rates, but is no admission.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for more units than that, and what the store reports. The reservation is over then, and
    /// its units stay charged.
    pub fn settle(mut self, units: u64) -> Result<()> {
        match self.settlement(units)? {
            Some(answer) => answer.wait(),
            None => Ok(()),
        }
    }

    /// [`settle`](Self::settle) without blocking the executor.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    ///
    /// # Examples
    /// ```
    /// # pollster::block_on(async {
    /// let limiter = scupper::Limiter::builder().rates(["10000/min".parse()?]).build()?;
    /// let reservation = limiter.request("model").weight(4_000).reserve_async().await?;
    /// reservation.settle_async(5_000).await?;
    /// assert_eq!(limiter.peek("model")?.usage[0].used, 5_000);
    /// # Ok::<(), scupper::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn settle_async(mut self, units: u64) -> Result<()> {
        match self.settlement(units)? {
            Some(answer) => answer.get().await,
            None => Ok(()),
        }
    }

    fn settlement(&mut self, units: u64) -> Result<Option<Answer<()>>> {
        let Some(permit) = self.permit.take() else { return Ok(None) };
        if units > Rate::MAX_LIMIT {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("{units} units were used; at most {} can be settled", Rate::MAX_LIMIT),
            ));
        }
        Ok(self.core.settle(&permit, &self.quota, units))
    }

    /// The same reservation with a key of its own, to be kept longer than the request.
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["10000/min".parse()?]).build()?;
    /// let key = String::from("model");
    /// let reservation = limiter.request(&key).weight(4_000).reserve()?.into_owned();
    /// drop(key);
    /// std::thread::spawn(move || reservation.settle(1_250)).join().unwrap()?;
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn into_owned(mut self) -> Reservation<'static> {
        let permit = self.permit.take().map(Permit::into_owned);
        Reservation { core: Arc::clone(&self.core), quota: self.quota.clone(), permit }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let refund = self.core.give_back(&permit);
            // Nobody is told if it fails: then the units stay charged for their window.
            detach(async move {
                let _ = refund.get().await;
            });
        }
    }
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("permit", &self.permit).finish_non_exhaustive()
    }
}
