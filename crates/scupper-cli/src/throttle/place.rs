use scupper::{Bucket, ErrorKind, Limiter, store};

use crate::failure::Failure;
use crate::given::{Given, GivenParser};
use crate::limits::Limits;
use crate::stores::STORES_HELP;

const STORE_HELP: &str = "Where to count: others who count there and under the same --key share the rates";

/// Where to count.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    #[arg(
        long, value_name = "URL", env = "SCUPPER_STORE", hide_env_values = true, value_parser = GivenParser, help = STORE_HELP,
        long_help = format!("{STORE_HELP}\n\n{STORES_HELP} Without it, this run counts for itself, in memory.")
    )]
    store: Option<Given>,

    /// The name under which to count in the store [default: that of the command]
    #[arg(long, value_name = "NAME", requires = "store")]
    key: Option<String>,
}

impl Place {
    /// A bucket that counts everything under these limits.
    pub(super) fn bucket(&self, limits: &Limits) -> Result<Bucket, Failure> {
        const COMMAND: &str = "throttle";
        let usage = |message: String| Failure::Usage { command: COMMAND, message };
        let key = self.key.as_deref().unwrap_or(COMMAND);
        let mut limiter = Limiter::builder().quota(&limits.quota().map_err(usage)?);
        if let Some(given) = &self.store {
            let store = store::connect_blocking(given.text()).map_err(|error| match error.kind() {
                ErrorKind::InvalidConfig => usage(format!("{}: {}", given.by(), error.message())),
                _ => Failure::Work(error.to_string()),
            })?;
            limiter = limiter.shared_store(store);
        }
        let limiter = limiter.build().map_err(|error| usage(error.to_string()))?;
        limiter.bucket(key).map_err(|error| Failure::Work(error.to_string()))
    }
}
