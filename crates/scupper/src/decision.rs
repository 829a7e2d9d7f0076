//! The answer to a request.

use std::borrow::Cow;
use std::time::Duration;

use crate::permit::Permit;
use crate::quota::Quota;
use crate::rate::Rate;
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::{Cause, Denial, Snapshot, Verdict};

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
            Self::Admitted(permit) => permit.source(),
            Self::Denied(denied) => denied.source,
            Self::NeverFits(_) => Source::Store,
        }
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

    /// The rate that has no room until then; none where a hold or an outage stands in the way.
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
    /// Used, remaining and reset of every rate right after it: nothing came between the two. Without any rate where an outage
    /// policy decided uncounted, or where the look failed and the decision did not.
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

    pub(crate) fn ruled(ruling: &Ruling, key: Cow<'a, str>, quota: &Quota, weight: u64) -> Self {
        let (rate, source) = (ruling.rate, ruling.source);
        match &ruling.verdict {
            Verdict::Admitted(admission) => Self::Admitted(Permit::by(source, key, *admission)),
            Verdict::Denied(denial) => {
                Self::Denied(Denied { binding_rate: rate, source, ..Denied::new(denial, quota) })
            }
            // A quota has at least one rate.
            Verdict::NeverFits { .. } => Self::NeverFits(NeverFits { weight, rate: rate.unwrap_or(quota.rates()[0]) }),
        }
    }
}
