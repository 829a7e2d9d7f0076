//! Points in time on a store's clock.

use std::fmt;
use std::time::Duration;

/// A point in time on a store's clock: whole microseconds since that clock's origin.
///
/// One microsecond is the *tick* of every store: the finest difference that a decision can see. Where a clock knows the
/// calendar, its origin is the Unix epoch, so that fixed windows begin on full seconds, hours and days of UTC.
/// Timestamps of different stores cannot be compared.
///
/// Range: 0 to `u64::MAX` microseconds; arithmetic stops at the ends instead of wrapping.
///
/// # Examples
/// ```
/// use scupper::Timestamp;
/// use std::time::Duration;
///
/// let start = Timestamp::from_micros(1_000);
/// let later = start + Duration::from_millis(2);
/// assert_eq!(later.as_micros(), 3_000);
/// assert_eq!(later.since(start), Duration::from_millis(2));
/// assert_eq!(later.to_string(), "0.003000s");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Timestamp(u64);

impl Timestamp {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);
    /// The end of time.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `micros` microseconds after the origin.
    ///
    /// # Examples
    /// ```
    /// use scupper::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_micros(0), Timestamp::ZERO);
    /// ```
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(scupper::Timestamp::from_micros(1_000).as_micros(), 1_000);
    /// ```
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    ///
    /// # Examples
    /// ```
    /// use scupper::Timestamp;
    /// use std::time::Duration;
    ///
    /// let (start, end) = (Timestamp::from_micros(1), Timestamp::from_micros(3));
    /// assert_eq!(end.since(start), Duration::from_micros(2));
    /// assert_eq!(start.since(end), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// The first tick that is not before this point plus `duration`: parts of a microsecond are rounded up.
    ///
    /// # Examples
    /// ```
    /// use scupper::Timestamp;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Timestamp::ZERO + Duration::from_nanos(1), Timestamp::from_micros(1));
    /// assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
    /// ```
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros_ceil(duration)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Microseconds in a duration, rounded up, at most `u64::MAX`.
pub(crate) fn micros_ceil(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}
