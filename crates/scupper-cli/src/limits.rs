//! The options that say how fast: shared by all commands that hold something to rates.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use scupper::{Algorithm, Bucket, ErrorKind, Limiter, LimiterBuilder, Rate, Result, store};

use crate::failure::Failure;

const STORE_HELP: &str = "\
Where to count: others who count there and under the same --key share the rates

In Redis or Valkey, that is redis://user:password@host:port/0, where all but the host may be left
out; rediss:// for TLS; redis+sentinel://host,host/master; redis+cluster://host,host. Without it,
this run counts for itself, in memory. A password is better given by the environment: others can
see arguments.";

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
    #[arg(long, value_name = "N", value_parser = parse_burst)]
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

    /// Where to count: others who count there and under the same --key share the rates
    #[arg(long, value_name = "URL", env = "SCUPPER_STORE", hide_env_values = true, long_help = STORE_HELP)]
    store: Option<String>,

    /// The name under which to count in the store [default: that of the command]
    #[arg(long, value_name = "NAME", requires = "store")]
    key: Option<String>,
}

impl Limits {
    /// A limiter that counts everything in one bucket, unless told otherwise the one of this name.
    pub(crate) fn bucket(&self, command: &'static str) -> Result<Bucket, Failure> {
        let usage = |message: String| Failure::Usage { command, message };
        let key = self.key.as_deref().unwrap_or(command);
        let mut limiter = self.limiter().map_err(usage)?.single_bucket(key);
        if let Some(url) = &self.store {
            let store = store::connect_blocking(url).map_err(|error| match error.kind() {
                ErrorKind::InvalidConfig => usage(format!("--store: {}", error.message())),
                _ => Failure::Work(error.to_string()),
            })?;
            limiter = limiter.shared_store(store);
        }
        let limiter = limiter.build().map_err(|error| usage(error.to_string()))?;
        limiter.bucket(key).map_err(|error| Failure::Work(error.to_string()))
    }

    fn limiter(&self) -> Result<LimiterBuilder, String> {
        let mut rates = self.rates.clone();
        if let (Some(burst), Some(first)) = (self.burst, rates.first_mut()) {
            if first.burst() != first.limit() {
                return Err(format!("{first} has a burst already; write it there or as --burst {burst}, not both"));
            }
            *first = first.with_burst(burst).map_err(|error| error.to_string())?;
        }
        Ok(Limiter::builder().algorithm(self.algorithm).rates(rates))
    }
}

fn parse_burst(text: &str) -> Result<u64, String> {
    let burst = text.parse().ok().filter(|burst| (1..=Rate::MAX_LIMIT).contains(burst));
    burst.ok_or_else(|| format!("write a whole number from 1 to {}", Rate::MAX_LIMIT))
}
