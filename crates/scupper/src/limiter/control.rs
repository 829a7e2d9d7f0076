//! What is done with a limiter as a whole: other rates, and its end.

use crate::error::{Error, Result};
use crate::limiter::facade::Limiter;
use crate::rates::Rates;

impl Limiter {
    /// Holds all requests to other rates from now on, whatever was admitted before still counted. Requests that wait are held
    /// to them, too, and sent away with [`ErrorKind::NeverFits`](crate::ErrorKind::NeverFits) if they are too heavy for
    /// them; so are handles that follow the limiter's own rates. Clones are the same limiter; limiters of other
    /// processes on the same store have to be told themselves, and until they are, each holds to its own.
    ///
    /// A decision takes longer afterwards, by some ten nanoseconds; a new [`bucket`](Self::bucket) handle is as fast as ever.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRate`](crate::ErrorKind::InvalidRate) if the rates make no list, or have a burst that the algorithm
    /// does not know; [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if a route chooses the rates.
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["2/h".parse()?]).build()?;
    /// limiter.request("user:42").weight(2).acquire()?;
    /// assert!(!limiter.try_acquire("user:42")?.is_admitted());
    /// limiter.set_rates("3/h")?;
    /// assert!(limiter.try_acquire("user:42")?.is_admitted());
    /// assert!(!limiter.try_acquire("user:42")?.is_admitted());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn set_rates<R>(&self, rates: R) -> Result<()>
    where
        R: TryInto<Rates>,
        Error: From<R::Error>,
    {
        self.core.set_rates(rates.try_into()?)
    }

    /// Sends everybody who waits away, and admits nobody any more: requests of this limiter and its clones get
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed). What was admitted can still be given back and settled.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ErrorKind, Limiter};
    ///
    /// let limiter = Limiter::builder().rates(["1/h".parse()?]).build()?;
    /// let permit = limiter.acquire("user:42")?;
    /// let (clone, waiting) = (limiter.clone(), std::thread::spawn({
    ///     let limiter = limiter.clone();
    ///     move || limiter.acquire("user:42").map(|_| ())
    /// }));
    /// clone.close();
    /// assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    /// assert_eq!(limiter.refund(permit)?, 1);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn close(&self) {
        self.core.close();
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }
}
