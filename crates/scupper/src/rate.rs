//! How much of what per how long.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::time::micros_ceil;

/// `limit` units per `interval`, with a `burst` for the algorithm that knows one.
///
/// | part | unit | range |
/// |---|---|---|
/// | limit | units of weight | 1 to [`Rate::MAX_LIMIT`] |
/// | interval | microseconds; parts of one are rounded up | 1 µs to [`Rate::MAX_INTERVAL`] |
/// | burst | units of weight, the limit unless set | 1 to [`Rate::MAX_LIMIT`] |
///
/// Written as text, a rate is `limit/interval`: `5/s`, `5/2s`, `100/min`, `1000/hour`, `10000/4w`, `20/500ms`. A burst
/// follows after a plus sign: `5/s+10`. Units are `us`, `ms`, `s`, `min` (or `m`), `h`, `d` and `w`, and their English
/// names. [`Display`](fmt::Display) prints what [`FromStr`] reads.
///
/// # Examples
/// ```
/// use scupper::Rate;
/// use std::time::Duration;
///
/// let rate: Rate = "100/min".parse()?;
/// assert_eq!(rate, Rate::new(100, Duration::from_secs(60))?);
/// assert_eq!(rate.to_string(), "100/min");
///
/// let bursty = Rate::new(5, Duration::from_secs(1))?.with_burst(10)?;
/// assert_eq!(bursty.to_string(), "5/s+10");
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Rate {
    limit: u64,
    interval: u64,
    burst: u64,
}

impl Rate {
    /// The largest limit, burst or weight: 10^12 units. Sums of them stay exact in every store.
    pub const MAX_LIMIT: u64 = 1_000_000_000_000;
    /// The longest interval, and the longest time that a full burst may take to drain: 3660 days.
    pub const MAX_INTERVAL: Duration = Duration::from_hours(3660 * 24);

    /// `limit` units per `interval`, with a burst of `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRate`] if the limit is 0 or above [`Rate::MAX_LIMIT`], or the interval is shorter than one
    /// microsecond or longer than [`Rate::MAX_INTERVAL`].
    ///
    /// # Examples
    /// ```
    /// use scupper::Rate;
    /// use std::time::Duration;
    ///
    /// let rate = Rate::new(20, Duration::from_millis(500))?;
    /// assert_eq!((rate.limit(), rate.interval(), rate.burst()), (20, Duration::from_millis(500), 20));
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn new(limit: u64, interval: Duration) -> Result<Self> {
        check_units("limit", limit)?;
        if interval < Duration::from_micros(1) || interval > Self::MAX_INTERVAL {
            return Err(invalid(format!(
                "the interval is {interval:?}; it must be at least 1 µs and at most {}",
                most("interval")
            )));
        }
        Ok(Self { limit, interval: micros_ceil(interval), burst: limit })
    }

    /// `limit` units per second.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    ///
    /// # Examples
    /// ```
    /// assert_eq!(scupper::Rate::per_second(100)?.to_string(), "100/s");
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn per_second(limit: u64) -> Result<Self> {
        Self::new(limit, Duration::from_secs(1))
    }

    /// `limit` units per minute.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    ///
    /// # Examples
    /// ```
    /// assert_eq!(scupper::Rate::per_minute(100)?.to_string(), "100/min");
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn per_minute(limit: u64) -> Result<Self> {
        Self::new(limit, Duration::from_mins(1))
    }

    /// `limit` units per hour.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    ///
    /// # Examples
    /// ```
    /// assert_eq!(scupper::Rate::per_hour(100)?.to_string(), "100/h");
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn per_hour(limit: u64) -> Result<Self> {
        Self::new(limit, Duration::from_hours(1))
    }

    /// The same rate with another burst: how many units [`Gcra`](crate::Algorithm::Gcra) lets through at once after a
    /// time of rest.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRate`] if the burst is 0 or above [`Rate::MAX_LIMIT`], or would take longer than
    /// [`Rate::MAX_INTERVAL`] to drain at this rate.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(scupper::Rate::per_second(5)?.with_burst(10)?, "5/s+10".parse()?);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn with_burst(self, burst: u64) -> Result<Self> {
        check_units("burst", burst)?;
        let drain = u128::from(burst) * u128::from(self.interval) / u128::from(self.limit);
        if drain > Self::MAX_INTERVAL.as_micros() {
            return Err(invalid(format!(
                "a burst of {burst} at {self} takes longer than {} to drain; a burst of at most {} would do",
                most("interval"),
                Self::MAX_INTERVAL.as_micros() * u128::from(self.limit) / u128::from(self.interval)
            )));
        }
        Ok(Self { burst, ..self })
    }

    /// Units per interval.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// The length of the window.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        Duration::from_micros(self.interval)
    }

    /// Units at once after a time of rest; read by [`Gcra`](crate::Algorithm::Gcra) only.
    #[must_use]
    pub const fn burst(&self) -> u64 {
        self.burst
    }

    /// The length of the window in microseconds.
    pub(crate) const fn interval_micros(&self) -> u64 {
        self.interval
    }
}

/// The largest that a part of a rate may be.
fn most(part: &str) -> String {
    match part {
        "interval" => format!("{} days", Rate::MAX_INTERVAL.as_secs() / (24 * 3600)),
        _ => Rate::MAX_LIMIT.to_string(),
    }
}

fn check_units(name: &str, units: u64) -> Result<()> {
    if (1..=Rate::MAX_LIMIT).contains(&units) {
        return Ok(());
    }
    Err(invalid(format!("the {name} is {units}; it must be at least 1 and at most {}", most(name))))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidRate, message)
}

/// Units of time by microseconds, the largest first: the name that is printed, and the names that are read.
const UNITS: [(u64, &str, &[&str]); 7] = [
    (7 * 24 * 3600 * 1_000_000, "w", &["w", "week", "weeks"]),
    (24 * 3600 * 1_000_000, "d", &["d", "day", "days"]),
    (3600 * 1_000_000, "h", &["h", "hr", "hour", "hours"]),
    (60 * 1_000_000, "min", &["min", "m", "minute", "minutes"]),
    (1_000_000, "s", &["s", "sec", "second", "seconds"]),
    (1_000, "ms", &["ms", "millisecond", "milliseconds"]),
    (1, "us", &["us", "µs", "microsecond", "microseconds"]),
];

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The last unit divides everything, so one is always found.
        for (micros, name, _) in UNITS {
            if self.interval.is_multiple_of(micros) {
                write!(f, "{}/", self.limit)?;
                match self.interval / micros {
                    1 => f.write_str(name)?,
                    count => write!(f, "{count}{name}")?,
                }
                break;
            }
        }
        if self.burst == self.limit { Ok(()) } else { write!(f, "+{}", self.burst) }
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const FORM: &str = "write limit/interval, for example 5/s, 5/2s, 100/min or 10000/4w, and a burst as in 5/s+10";
        let wrong = |what: &str| invalid(format!("{what} in {:?}; {FORM}", shortened(text)));
        let units = |digits: &str, name: &str| match digits.trim() {
            "" => Err(wrong(&format!("no {name}"))),
            digits if !digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(wrong(&format!("the {name} is not a whole number")))
            }
            // Digits only, so what does not parse is too large.
            digits => digits.parse().map_err(|_| wrong(&format!("the {name} is too large (at most {})", most(name)))),
        };

        let (limit, rest) = text.split_once('/').ok_or_else(|| wrong("no '/' between limit and interval"))?;
        let limit = units(limit, "limit")?;
        let (interval, burst) = match rest.split_once('+') {
            Some((interval, burst)) => (interval.trim(), Some(units(burst, "burst")?)),
            None => (rest.trim(), None),
        };
        let unit_at = interval.find(|c: char| !c.is_ascii_digit()).unwrap_or(interval.len());
        let (count, unit) = interval.split_at(unit_at);
        let unit = unit.trim().to_ascii_lowercase();
        let (micros, ..) = UNITS
            .iter()
            .find(|(.., names)| names.contains(&unit.as_str()))
            .ok_or_else(|| wrong("the interval has no unit of time (us, ms, s, min, h, d, w)"))?;
        let count: u64 = if count.is_empty() { 1 } else { units(count, "interval")? };

        let interval = count
            .checked_mul(*micros)
            .ok_or_else(|| wrong(&format!("the interval is too long (at most {})", most("interval"))))?;
        let rate = Self::new(limit, Duration::from_micros(interval))?;
        burst.map_or(Ok(rate), |burst| rate.with_burst(burst))
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST { text.into() } else { text.chars().take(MOST).chain(['…']).collect() }
}

impl TryFrom<&str> for Rate {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for Rate {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}
