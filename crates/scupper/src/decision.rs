//! The answer to a request.

use std::borrow::Cow;
use std::time::Duration;

use crate::quota::Quota;
use crate::rate::Rate;
use crate::store::{Admission, Cause, Denial, Snapshot, Verdict};
use crate::time::Timestamp;

/// The answer to a request that does not wait.
///
/// # Examples
/// ```
/// use scupper::{Decision, Limiter, Rate};
///
/// let limiter = Limiter::builder().rate(Rate::per_second(1)?).build()?;
/// let _first = limiter.try_acquire("user:42")?;
/// match limiter.try_acquire("user:42")? {
///     Decision::Admitted(_) => unreachable!("one a second"),
///     Decision::Denied(denied) => assert!(denied.retry_after().as_secs_f64() <= 1.000_001),
///     Decision::NeverFits(_) => unreachable!("one unit fits"),
/// }
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a decision that nobody looks at limits nothing"]
pub enum Decision<'a> {
    /// All units were taken.
    Admitted(Permit<'a>),
    /// Nothing was taken; the request would have to wait.
    Denied(Denied),
    /// Nothing was taken; the request is heavier than its rates ever allow.
    NeverFits(NeverFits),
}

impl Decision<'_> {
    /// Whether the units were taken.
    #[must_use]
    #[inline]
    pub const fn is_admitted(&self) -> bool {
        matches!(self, Self::Admitted(_))
    }

    /// How long the same request has to wait at least: zero if it was admitted, none if it never fits.
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["1/h".parse()?]).build()?;
    /// let decision = limiter.request("user:42").weight(2).try_acquire()?;
    /// assert!(!decision.is_admitted());
    /// assert_eq!(decision.retry_after(), None);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Admitted(_) => Some(Duration::ZERO),
            Self::Denied(denied) => Some(denied.retry_after()),
            Self::NeverFits(_) => None,
        }
    }

    /// Who decided.
    #[must_use]
    pub const fn source(&self) -> Source {
        match self {
            Self::Admitted(permit) => permit.source,
            Self::Denied(denied) => denied.source,
            Self::NeverFits(_) => Source::Store,
        }
    }
}

/// Who made a decision.
///
/// # Examples
/// ```
/// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
/// assert_eq!(limiter.try_acquire("user:42")?.source(), scupper::Source::Store);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The store that keeps the bucket.
    #[default]
    Store,
}

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

    /// All units that the bucket had counted then, these included: later permits of a bucket have higher numbers.
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

    pub(crate) const fn admission(&self) -> Admission {
        self.admission
    }
}

/// Why a request was not admitted, and when it would be.
///
/// # Examples
/// ```
/// use scupper::{Cause, Decision, Limiter, ManualTimer, Rate};
///
/// let limiter = Limiter::builder().rate(Rate::per_second(1)?).timer(ManualTimer::new()).build()?;
/// let _first = limiter.try_acquire("user:42")?;
/// let Decision::Denied(denied) = limiter.try_acquire("user:42")? else { unreachable!("one a second") };
/// assert_eq!(denied.retry_after().as_micros(), 1_000_001);
/// assert_eq!(denied.binding_rate(), Some(Rate::per_second(1)?));
/// assert_eq!(denied.cause(), Cause::Full);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    retry_after_micros: u64,
    binding_rate: Option<Rate>,
    cause: Cause,
    source: Source,
}

impl Denied {
    #[inline]
    pub(crate) fn new(denial: &Denial, quota: &Quota) -> Self {
        Self {
            retry_after_micros: denial.retry_at.as_micros().saturating_sub(denial.now.as_micros()),
            binding_rate: denial.rate.and_then(|rate| quota.rates().get(rate).copied()),
            cause: denial.cause,
            source: Source::Store,
        }
    }

    /// With cause [`Full`](Cause::Full), after exactly this time the same request is admitted if nobody else comes, and
    /// not a microsecond earlier. A lower bound with the other causes.
    ///
    /// Under the sliding window log that is one microsecond more than the interval after the unit that must leave:
    /// windows are closed, so that two requests exactly an interval apart lie in the same one. Whoever passes it on in
    /// coarser units must round up.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        Duration::from_micros(self.retry_after_micros)
    }

    /// The rate that has no room until then; none where a hold stands in the way.
    #[must_use]
    pub const fn binding_rate(&self) -> Option<Rate> {
        self.binding_rate
    }

    /// What stood in the way.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// Who denied it.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }
}

/// A request that is heavier than its rates ever allow. Split it: waiting does not help.
///
/// # Examples
/// ```
/// use scupper::{Decision, Limiter, Rate};
///
/// let limiter = Limiter::builder().rate(Rate::per_second(5)?).build()?;
/// let decision = limiter.request("user:42").weight(6).try_acquire()?;
/// let Decision::NeverFits(never) = decision else { unreachable!("five at most") };
/// assert_eq!((never.weight(), never.rate()), (6, Rate::per_second(5)?));
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeverFits {
    weight: u64,
    rate: Rate,
}

impl NeverFits {
    /// Units that were asked for.
    #[must_use]
    pub const fn weight(&self) -> u64 {
        self.weight
    }

    /// The rate that never allows so many at once.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }
}

/// A decision, and the bucket as it was left.
///
/// # Examples
/// ```
/// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
/// let detailed = limiter.detailed("user:42")?;
/// assert!(detailed.decision.is_admitted());
/// assert_eq!(detailed.snapshot.remaining(), 4);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detailed<'a> {
    /// The decision.
    pub decision: Decision<'a>,
    /// Used, remaining and reset of every rate right after it: nothing came between the two.
    pub snapshot: Snapshot,
}

impl<'a> Decision<'a> {
    #[inline]
    pub(crate) fn new(verdict: &Verdict, key: Cow<'a, str>, quota: &Quota, weight: u64) -> Self {
        match verdict {
            Verdict::Admitted(admission) => Self::Admitted(Permit::new(key, *admission)),
            Verdict::Denied(denial) => Self::Denied(Denied::new(denial, quota)),
            Verdict::NeverFits { rate } => {
                // A quota has at least one rate.
                let rate = quota.rates().get(*rate).unwrap_or(&quota.rates()[0]);
                Self::NeverFits(NeverFits { weight, rate: *rate })
            }
        }
    }
}
