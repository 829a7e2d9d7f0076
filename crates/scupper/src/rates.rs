//! Several rates on one bucket.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::rate::Rate;

/// A list of rates that hold together: not empty, each with a longer interval and a larger limit than the one before,
/// and none with a higher ratio of limit to interval.
///
/// Such a list has no rate that another one makes pointless. Anything else is an error that names the offending pair.
/// At most [`Rates::MAX`] rates. As text, rates are separated by commas: `5/s, 1000/h`.
///
/// # Examples
/// ```
/// use scupper::Rates;
///
/// let rates: Rates = "5/s, 1000/h".parse()?;
/// assert_eq!(rates.len(), 2);
///
/// let error = "5/s, 40000/h".parse::<Rates>().unwrap_err();
/// assert!(error.to_string().contains("40000/h"), "{error}");
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Vec<Rate>", into = "Vec<Rate>")
)]
pub struct Rates(Box<[Rate]>);

impl Rates {
    /// How many rates a list may have.
    pub const MAX: usize = 32;

    /// The list of these rates, in this order.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRate`] if there is none, there are more than [`Rates::MAX`], or two neighbours do not go
    /// together; the message names them and says what would be right.
    ///
    /// # Examples
    /// ```
    /// use scupper::{Rate, Rates};
    ///
    /// let rates = Rates::new([Rate::per_second(5)?, Rate::per_hour(1000)?])?;
    /// assert_eq!(rates.to_string(), "5/s, 1000/h");
    /// assert!(Rates::new([Rate::per_hour(1000)?, Rate::per_second(5)?]).is_err());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn new(rates: impl IntoIterator<Item = Rate>) -> Result<Self> {
        let rates: Box<[Rate]> = rates.into_iter().collect();
        if rates.is_empty() {
            return Err(invalid("there is no rate; give at least one, for example 5/s".into()));
        }
        if rates.len() > Self::MAX {
            return Err(invalid(format!("there are {} rates; at most {} are possible", rates.len(), Self::MAX)));
        }
        rates.windows(2).try_for_each(|pair| check_pair(pair[0], pair[1]))?;
        Ok(Self(rates))
    }
}

fn check_pair(first: Rate, second: Rate) -> Result<()> {
    let wrong = |what: &str| Err(invalid(format!("{first} followed by {second}: {what}")));
    if second.interval() == first.interval() {
        return wrong("both have the same interval; keep the stricter one");
    }
    if second.interval() < first.interval() {
        return wrong("the interval gets shorter; put rates in order of their interval");
    }
    if second.limit() <= first.limit() {
        return wrong("the limit does not grow with the interval, so the first rate can never bind; drop it");
    }
    let ratio = |limit: Rate, interval: Rate| u128::from(limit.limit()) * u128::from(interval.interval_micros());
    if ratio(second, first) > ratio(first, second) {
        return wrong(
            "the second allows more per time than the first, so it can never bind; drop it or lower its limit",
        );
    }
    Ok(())
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidRate, message)
}

impl Deref for Rates {
    type Target = [Rate];

    fn deref(&self) -> &[Rate] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Rates {
    type Item = &'a Rate;
    type IntoIter = std::slice::Iter<'a, Rate>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rate) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{rate}")?;
        }
        Ok(())
    }
}

impl FromStr for Rates {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Self::new([]);
        }
        Self::new(text.split(',').map(|rate| rate.trim().parse()).collect::<Result<Vec<_>>>()?)
    }
}

impl From<Rate> for Rates {
    fn from(rate: Rate) -> Self {
        Self(Box::new([rate]))
    }
}

impl TryFrom<&str> for Rates {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<Vec<Rate>> for Rates {
    type Error = Error;

    fn try_from(rates: Vec<Rate>) -> Result<Self> {
        Self::new(rates)
    }
}

impl From<Rates> for Vec<Rate> {
    fn from(rates: Rates) -> Self {
        rates.0.into_vec()
    }
}
