//! When to try again what failed.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// How long to leave a server alone that could not be reached: longer after each failure, and not until the same time for all
/// hosts of a network.
pub(crate) fn pause(failures: u32) -> Duration {
    let whole = SHORTEST.saturating_mul(1 << failures.min(10)).min(LONGEST);
    let percent = 50 + RandomState::new().hash_one(failures) % 51;
    whole * u32::try_from(percent).unwrap_or(100) / 100
}
