//! Our side: everything here that knows Scupper's interface.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::keys::Keys;
use crate::limit::{Limit, Outcome};
use crate::side::Side;

/// How to decide.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Algorithm {
    /// The exact sliding window log.
    Log,
    /// The generic cell rate algorithm.
    Gcra,
}

const NAME: &str = "scupper";

// Stands in for the library, which has no interface yet: another crate's direct and keyed limiter.
// Both sides of a case are then the same code, which shows what the harness itself adds.

/// One bucket, asked by handle.
pub(crate) fn one_bucket(limits: &[Limit], _algorithm: Algorithm, outcome: Outcome) -> Result<Side> {
    let limit = *limits.first().context("no limit")?;
    let limiter = governor::RateLimiter::direct(quota(limit)?);
    outcome.prepare(NAME, limit, || limiter.check().is_ok())?;
    Ok(Side::repeating(NAME, move || {
        let verdict = black_box(&limiter).check();
        black_box(&verdict).is_ok()
    }))
}

/// One limiter for all keys, asked by key.
pub(crate) fn keyed(limit: Limit, keys: Arc<Keys>, outcome: Outcome) -> Result<Side> {
    let limiter = governor::RateLimiter::keyed(quota(limit)?);
    for key in keys.all() {
        outcome.prepare(NAME, limit, || limiter.check_key(key).is_ok())?;
    }
    Ok(Side::visiting(NAME, keys, move |key| {
        let verdict = black_box(&limiter).check_key(key);
        black_box(&verdict).is_ok()
    }))
}

/// A limiter to be filled and weighed: asks for one unit of a key.
pub(crate) fn weighed(limit: Limit, _algorithm: Algorithm) -> Result<impl Fn(&String) -> Result<bool>> {
    let limiter: governor::DefaultKeyedRateLimiter<String> = governor::RateLimiter::keyed(quota(limit)?);
    Ok(move |key: &String| Ok(limiter.check_key(key).is_ok()))
}

fn quota(limit: Limit) -> Result<governor::Quota> {
    let burst = std::num::NonZeroU32::new(limit.requests).context("a limit of nothing")?;
    let quota = governor::Quota::with_period(limit.spacing()).context("no spacing")?;
    // Wide enough for a thread that loses its processor, as the cases do for the peer.
    let burst = if limit.interval < std::time::Duration::from_secs(1) {
        burst.saturating_mul(std::num::NonZeroU32::MIN.saturating_add(99_999))
    } else {
        burst
    };
    Ok(quota.allow_burst(burst))
}
