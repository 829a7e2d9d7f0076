//! The limits that a case puts on every one of its sides.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::ValueEnum;

/// At most `requests` per `interval`, in no crate's own words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) requests: u32,
    pub(crate) interval: Duration,
}

impl Limit {
    pub(crate) const fn new(requests: u32, interval: Duration) -> Self {
        Self { requests, interval }
    }

    /// The same rate with a burst of that many times the requests.
    pub(crate) const fn with_burst_times(self, factor: u32) -> Self {
        Self { requests: self.requests.saturating_mul(factor), interval: self.interval.saturating_mul(factor) }
    }

    /// The time between two requests of an even flow, for those who think in that.
    pub(crate) fn spacing(self) -> Duration {
        self.interval / self.requests
    }
}

/// Which verdict a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    Admit,
    Deny,
}

impl Outcome {
    /// Brings one key's bucket to where every further request meets this outcome, and proves it:
    /// a limit counts only if the side admits what it allows and denies what it does not.
    ///
    /// # Errors
    ///
    /// If a verdict is not the one that the limit asks for.
    pub(crate) fn prepare(self, name: &str, limit: Limit, request: impl Fn() -> bool) -> Result<()> {
        match self {
            Self::Admit => ensure!(request(), "{name} denied the first request of a key"),
            Self::Deny => {
                for nth in 1..=limit.requests {
                    ensure!(request(), "{name} denied request {nth} of {}", limit.requests);
                }
                ensure!(!request(), "{name} admitted more than {} requests", limit.requests);
            }
        }
        Ok(())
    }

    /// The verdict that this outcome does not expect: for what has none.
    pub(crate) fn other(self) -> bool {
        self == Self::Deny
    }

    /// How many of `requests` a side must have admitted.
    pub(crate) fn admitted_of(self, requests: u32) -> u32 {
        match self {
            Self::Admit => requests,
            Self::Deny => 0,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Admit => "admit",
            Self::Deny => "deny",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const THREE: Limit = Limit::new(3, Duration::from_secs(1));

    #[test]
    fn a_side_that_never_denies_is_refused() {
        assert!(Outcome::Deny.prepare("lenient", THREE, || true).is_err());
    }

    #[test]
    fn a_side_that_denies_too_early_is_refused() {
        let left = Cell::new(2_u32);
        let request = || left.replace(left.get().saturating_sub(1)) > 0;
        assert!(Outcome::Deny.prepare("strict", THREE, request).is_err());
    }

    #[test]
    fn a_side_that_keeps_to_the_limit_is_accepted() -> Result<()> {
        let left = Cell::new(3_u32);
        let request = || left.replace(left.get().saturating_sub(1)) > 0;
        Outcome::Deny.prepare("exact", THREE, request)
    }
}
