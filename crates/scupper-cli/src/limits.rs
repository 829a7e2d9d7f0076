//! The options that say how fast: shared by all commands that hold something to rates.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use scupper::{Algorithm, Quota, Rate};

const ALGORITHMS: [&str; 4] = ["sliding-window-log", "fixed-window", "gcra", "token-bucket"];

/// How fast.
#[derive(Debug, clap::Args)]
pub(crate) struct Limits {
    /// At most so many units per so long: 5/2s, 100/min, 1000/hour, 10000/4w; with a burst for gcra: 5/s+10
    ///
    /// Units of time are us, ms, s, min, h, d and w. Give the option several times to hold to several rates at once, in
    /// order of their interval: --rate 5/s --rate 1000/h
    #[arg(long = "rate", value_name = "RATE", required = true)]
    rates: Vec<Rate>,

    /// So many units at once after a time of rest, for gcra and token-bucket [default: the limit of the rate]
    ///
    /// With several rates it is the burst of the first one, which has the shortest interval; the others keep theirs.
    #[arg(long, value_name = "N", value_parser = parse_units)]
    burst: Option<u64>,

    /// How units are counted against the rates
    ///
    /// sliding-window-log never passes more than the limit in any interval, wherever it begins, and remembers every
    /// unit of the longest interval. fixed-window starts counting anew at every full interval. gcra, also called
    /// token-bucket, spreads units evenly after a first burst, and remembers next to nothing.
    #[arg(
        long,
        default_value = ALGORITHMS[0],
        value_parser = PossibleValuesParser::new(ALGORITHMS).try_map(|name| name.parse::<Algorithm>())
    )]
    algorithm: Algorithm,
}

impl Limits {
    /// What they come to, or why they come to nothing.
    pub(crate) fn quota(&self) -> Result<Quota, String> {
        let mut rates = self.rates.clone();
        if let (Some(burst), Some(first)) = (self.burst, rates.first_mut()) {
            if first.burst() != first.limit() {
                return Err(format!("{first} has a burst already; write it there or as --burst {burst}, not both"));
            }
            *first = first.with_burst(burst).map_err(|error| error.to_string())?;
        }
        Quota::new(self.algorithm, rates).map_err(|error| error.to_string())
    }
}

/// So many units as a rate may have, or a request.
pub(crate) fn parse_units(text: &str) -> Result<u64, String> {
    let units = text.parse().ok().filter(|units| (1..=Rate::MAX_LIMIT).contains(units));
    units.ok_or_else(|| format!("write a whole number from 1 to {}", Rate::MAX_LIMIT))
}
