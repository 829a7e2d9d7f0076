//! What a comparison came to.

use anyhow::{Result, ensure};

/// A measured value over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// # Errors
    ///
    /// If there are no values, or if one is not a number.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Result<Self> {
        let mut values: Vec<f64> = values.collect();
        ensure!(!values.is_empty(), "nothing was measured");
        ensure!(values.iter().all(|value| value.is_finite()), "a measurement is not a number");
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        Ok(Self {
            least: values[0],
            median: f64::midpoint(values[last / 2], values[values.len() / 2]),
            most: values[last],
        })
    }

    /// A value that does not vary.
    pub(crate) const fn exactly(value: f64) -> Self {
        Self { least: value, median: value, most: value }
    }
}

/// The ratio to reach, or to do better than.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// Of what costs: time, bytes.
    AtMost(f64),
    /// Of what is had: requests a second.
    AtLeast(f64),
}

/// Our side of a case beside one peer's.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) suite: &'static str,
    pub(crate) case: String,
    pub(crate) ours: Spread,
    pub(crate) peer_name: &'static str,
    pub(crate) peer: Spread,
    pub(crate) unit: &'static str,
    /// Ours over the peer's: below 1 is less, be it time or bytes or requests a second.
    pub(crate) ratio: Spread,
    /// None where the peer is shown for information.
    pub(crate) target: Option<Target>,
}

impl Row {
    /// Whether the target is reached, if there is one.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtMost(most) => self.ratio.median <= most,
            Target::AtLeast(least) => self.ratio.median >= least,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_either_kind_of_count() -> Result<()> {
        let odd = Spread::of([9.0, 1.0, 2.0].into_iter())?;
        assert_eq!((odd.least, odd.median, odd.most), (1.0, 2.0, 9.0));
        let even = Spread::of([4.0, 1.0, 2.0, 9.0].into_iter())?;
        assert_eq!((even.least, even.median, even.most), (1.0, 3.0, 9.0));
        Ok(())
    }

    #[test]
    fn no_measurement_and_no_number_are_errors() {
        assert!(Spread::of(std::iter::empty()).is_err());
        assert!(Spread::of([1.0, f64::NAN].into_iter()).is_err());
    }
}
