//! What was admitted.

use std::borrow::Cow;

use crate::source::Source;
use crate::store::Admission;
use crate::time::Timestamp;

/// What was admitted. Plain numbers and a borrowed key: a permit costs nothing to make.
///
/// Dropping a permit does nothing: what was admitted stays admitted. Give it back by value, and so once at the most,
/// with [`Limiter::refund`](crate::Limiter::refund) of the limiter that gave it, if what it was for did not happen.
///
/// # Examples
/// ```
/// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
/// let permit = limiter.acquire("user:42")?;
/// assert_eq!((permit.key(), permit.weight(), permit.sequence()), ("user:42", 1, 1));
/// println!("counted at {} by the {:?}", permit.tick(), permit.source());
/// limiter.refund(permit)?;
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Permit<'a> {
    key: Cow<'a, str>,
    admission: Admission,
    source: Source,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(crate) const fn new(key: Cow<'a, str>, admission: Admission) -> Self {
        Self { key, admission, source: Source::Store }
    }

    pub(crate) const fn by(source: Source, key: Cow<'a, str>, admission: Admission) -> Self {
        Self { key, admission, source }
    }

    /// The bucket that counted it: the request's key unless the limiter's route chose another.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// When it was counted, on the store's clock.
    #[must_use]
    pub const fn tick(&self) -> Timestamp {
        self.admission.tick
    }

    /// Units that were taken.
    #[must_use]
    pub const fn weight(&self) -> u64 {
        self.admission.weight
    }

    /// All units that the bucket had counted then, these included: later permits of a bucket have higher numbers
    /// for as long as the store keeps it; one that was forgotten begins anew.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.admission.sequence
    }

    /// Who admitted it.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// The same permit with a key of its own, to be kept longer than the request.
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// let key = format!("user:{}", 42);
    /// let permit = limiter.acquire(&key)?.into_owned();
    /// drop(key);
    /// limiter.refund(permit)?;
    /// # Ok::<(), scupper::Error>(())
    /// ```
    #[must_use]
    pub fn into_owned(self) -> Permit<'static> {
        Permit { key: Cow::Owned(self.key.into_owned()), admission: self.admission, source: self.source }
    }

    /// A permit again, of what one had told: for languages that keep it as plain numbers. Whoever calls this sees to it that what
    /// was taken is given back once at the most.
    #[doc(hidden)]
    #[must_use]
    pub const fn restored(key: Cow<'a, str>, admission: Admission, source: Source) -> Self {
        Self { key, admission, source }
    }

    pub(crate) const fn admission(&self) -> Admission {
        self.admission
    }
}
