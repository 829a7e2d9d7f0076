//! ratelimit: a token bucket in atomics, read through the standard library's clock.

use std::hint::black_box;

use anyhow::{Result, anyhow};
use ratelimit::Ratelimiter;

use crate::limit::{Limit, Outcome};
use crate::side::Side;

const NAME: &str = "ratelimit";

/// One limiter that begins full.
pub(crate) fn one_bucket(limit: Limit, outcome: Outcome) -> Result<Side> {
    let tokens = u64::from(limit.requests);
    let limiter = Ratelimiter::builder(tokens)
        .period(limit.interval)
        .max_tokens(tokens)
        .initial_available(tokens)
        .build()
        .map_err(|error| anyhow!("{NAME}: {error}"))?;
    outcome.prepare(NAME, limit, || limiter.try_wait().is_ok())?;
    Ok(Side::repeating(NAME, move || {
        let verdict = black_box(&limiter).try_wait();
        black_box(&verdict).is_ok()
    }))
}
