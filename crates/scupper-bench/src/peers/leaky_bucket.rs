//! leaky-bucket: a token bucket that is refilled in steps of at least a millisecond.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use leaky_bucket::RateLimiter;

use crate::limit::{Limit, Outcome};
use crate::side::Side;

const NAME: &str = "leaky-bucket";

/// Its refill cannot be more frequent than this; shorter limits are scaled up to it.
const SHORTEST: Duration = Duration::from_millis(1);

/// One limiter, fair as it is by default.
pub(crate) fn one_bucket(limit: Limit, outcome: Outcome) -> Result<Side> {
    let limit = at_least(SHORTEST, limit)?;
    let tokens = usize::try_from(limit.requests)?;
    let limiter = RateLimiter::builder().initial(tokens).max(tokens).refill(tokens).interval(limit.interval).build();
    outcome.prepare(NAME, limit, || limiter.try_acquire(1))?;
    Ok(Side::repeating(NAME, move || black_box(black_box(&limiter).try_acquire(1))))
}

/// The same rate over an interval of at least `shortest`.
fn at_least(shortest: Duration, limit: Limit) -> Result<Limit> {
    if limit.interval >= shortest {
        return Ok(limit);
    }
    let factor = shortest.as_nanos().div_ceil(limit.interval.as_nanos());
    let factor = u32::try_from(factor)?;
    Ok(Limit::new(limit.requests.saturating_mul(factor), limit.interval * factor))
}
