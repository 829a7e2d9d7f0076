//! rate-net: its sliding window log, the only other exact one here.

use std::hint::black_box;

use anyhow::{Result, anyhow};
use rate_net::{Algorithm, DirectLimiter, Quota};

use crate::limit::{Limit, Outcome};
use crate::side::Side;

const NAME: &str = "rate-net log";

/// One limiter without keys.
pub(crate) fn one_bucket(limit: Limit, outcome: Outcome) -> Result<Side> {
    let quota = Quota::rate(limit.requests, limit.interval).map_err(|error| anyhow!("{NAME}: {error}"))?;
    let limiter = DirectLimiter::with_quota(quota).with_algorithm(Algorithm::SlidingWindowLog);
    outcome.prepare(NAME, limit, || limiter.check().is_allow())?;
    Ok(Side::repeating(NAME, move || {
        let verdict = black_box(&limiter).check();
        black_box(&verdict).is_allow()
    }))
}
