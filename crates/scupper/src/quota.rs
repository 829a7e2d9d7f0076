//! Rates under an algorithm: all that a store must know to decide.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::pace::Pace;
use crate::rate::Rate;
use crate::rates::Rates;
use crate::sync::Arc;

/// How admissions are counted against a rate.
///
/// | algorithm | never more than | state per bucket |
/// |---|---|---|
/// | [`SlidingWindowLog`] | `limit` in any closed interval | 8 to 16 bytes per admission in the longest window |
/// | [`FixedWindow`] | `limit` in each window, so up to twice that in an interval across two | one counter per rate |
/// | [`Gcra`] | `burst + limit × t / interval` in any time `t` | one time per rate |
///
/// [`SlidingWindowLog`]: Self::SlidingWindowLog
/// [`FixedWindow`]: Self::FixedWindow
/// [`Gcra`]: Self::Gcra
///
/// # Examples
/// ```
/// use scupper::Algorithm;
///
/// assert_eq!("token-bucket".parse::<Algorithm>()?, Algorithm::TOKEN_BUCKET);
/// assert_eq!(Algorithm::default().to_string(), "sliding-window-log");
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Algorithm {
    /// Remembers when each unit was admitted. Exact.
    #[default]
    SlidingWindowLog,
    /// Counts in windows that begin at multiples of the interval since the clock's origin: full seconds, hours and
    /// days of UTC where the clock knows the calendar.
    FixedWindow,
    /// The generic cell rate algorithm (ITU-T I.371), a leaky bucket as a meter: units drain evenly, and `burst` of
    /// them fit at once.
    Gcra,
}

impl Algorithm {
    /// The token bucket: [`Gcra`](Self::Gcra) under its familiar name. Tokens come back evenly, and `burst` of them
    /// fit.
    pub const TOKEN_BUCKET: Self = Self::Gcra;

    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::SlidingWindowLog, Self::FixedWindow, Self::Gcra];

    const fn as_str(self) -> &'static str {
        match self {
            Self::SlidingWindowLog => "sliding-window-log",
            Self::FixedWindow => "fixed-window",
            Self::Gcra => "gcra",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "sliding-window-log" => Ok(Self::SlidingWindowLog),
            "fixed-window" => Ok(Self::FixedWindow),
            "gcra" | "token-bucket" => Ok(Self::Gcra),
            _ => Err(Error::new(
                ErrorKind::InvalidRate,
                format!("{text:?} is no algorithm; there are sliding-window-log, fixed-window, gcra and token-bucket"),
            )),
        }
    }
}

/// A list of [`Rates`] under an [`Algorithm`]. Cheap to clone.
///
/// # Examples
/// ```
/// use scupper::{Algorithm, Quota};
///
/// let quota = Quota::new(Algorithm::Gcra, "5/s+10, 100/min")?;
/// assert_eq!(quota.capacity(), 10);
/// assert_eq!((quota.algorithm(), quota.rates().len()), (Algorithm::Gcra, 2));
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "QuotaForm", into = "QuotaForm")
)]
pub struct Quota(Arc<Parts>);

struct Parts {
    algorithm: Algorithm,
    rates: Rates,
    paces: Box<[Pace]>,
    capacity: u64,
    retention: u64,
}

impl Quota {
    /// These rates under this algorithm: a [`Rate`], [`Rates`], a `Vec` of rates, or the text of a list.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRate`] if the rates make no list, or if a rate has a burst of its own and the algorithm is
    /// not [`Algorithm::Gcra`], the only one that reads it.
    ///
    /// # Examples
    /// ```
    /// use scupper::{Algorithm, Quota, Rate};
    ///
    /// let quota = Quota::new(Algorithm::FixedWindow, Rate::per_minute(100)?)?;
    /// assert_eq!(quota, Quota::new(Algorithm::FixedWindow, "100/min")?);
    /// assert!(Quota::new(Algorithm::FixedWindow, "100/min+200").is_err());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn new<R>(algorithm: Algorithm, rates: R) -> Result<Self>
    where
        R: TryInto<Rates>,
        Error: From<R::Error>,
    {
        let rates = rates.try_into()?;
        if algorithm != Algorithm::Gcra
            && let Some(rate) = rates.iter().find(|rate| rate.burst() != rate.limit())
        {
            return Err(Error::new(
                ErrorKind::InvalidRate,
                format!("{rate} has a burst, which {algorithm} does not know; leave it out, or use gcra"),
            ));
        }
        let paces: Box<[Pace]> = rates.iter().map(|rate| Pace::new(*rate)).collect();
        let retention = paces.iter().map(Pace::retention).max().unwrap_or_default();
        let capacity = rates.iter().map(Rate::burst).min().unwrap_or_default();
        Ok(Self(Arc::new(Parts { algorithm, rates, paces, capacity, retention })))
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The rates.
    #[must_use]
    pub fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// The heaviest request that can ever be admitted, in units: the smallest limit, or with [`Algorithm::Gcra`] the
    /// smallest burst.
    ///
    /// # Examples
    /// ```
    /// use scupper::{Algorithm, Quota};
    ///
    /// assert_eq!(Quota::new(Algorithm::SlidingWindowLog, "5/s, 100/min")?.capacity(), 5);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> u64 {
        self.0.capacity
    }

    /// The rate that sets the capacity.
    pub(crate) fn tightest(&self) -> usize {
        self.0.rates.iter().position(|rate| rate.burst() == self.0.capacity).unwrap_or_default()
    }

    /// Microseconds for which an admission can matter to these rates.
    #[inline]
    pub(crate) fn retention(&self) -> u64 {
        self.0.retention
    }

    #[inline]
    pub(crate) fn paces(&self) -> &[Pace] {
        &self.0.paces
    }

    #[inline]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Quota {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || (self.0.algorithm == other.0.algorithm && self.0.rates == other.0.rates)
    }
}

impl Eq for Quota {}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quota").field("algorithm", &self.0.algorithm).field("rates", &self.0.rates).finish()
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} under {}", self.0.rates, self.0.algorithm)
    }
}

/// A quota as it is serialized.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct QuotaForm {
    #[serde(default)]
    algorithm: Algorithm,
    rates: Rates,
}

#[cfg(feature = "serde")]
impl TryFrom<QuotaForm> for Quota {
    type Error = Error;

    fn try_from(form: QuotaForm) -> Result<Self> {
        Self::new(form.algorithm, form.rates)
    }
}

#[cfg(feature = "serde")]
impl From<Quota> for QuotaForm {
    fn from(quota: Quota) -> Self {
        Self { algorithm: quota.algorithm(), rates: quota.rates().clone() }
    }
}
