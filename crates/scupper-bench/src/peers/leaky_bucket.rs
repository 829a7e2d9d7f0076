//! leaky-bucket: a token bucket that is refilled in steps of at least a millisecond.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use leaky_bucket::{Acquire, RateLimiter};

use crate::limit::{Limit, Outcome};
use crate::queue::{Ask, Queue, Refill};
use crate::side::Side;

pub(crate) const NAME: &str = "leaky-bucket";

/// Its refill cannot be more frequent than this; shorter limits are scaled up to it.
const SHORTEST: Duration = Duration::from_millis(1);

/// One limiter, fair as it is by default.
pub(crate) fn one_bucket(limit: Limit, outcome: Outcome) -> Result<Side> {
    let limit = at_least(SHORTEST, limit)?;
    let limiter = limiter(limit)?;
    outcome.prepare(NAME, limit, || limiter.try_acquire(1))?;
    Ok(Side::repeating(NAME, move || black_box(black_box(&limiter).try_acquire(1))))
}

/// One limiter for tasks that wait, full at first, and full again after each interval.
pub(crate) fn in_line(limit: Limit) -> Result<Queue> {
    let limiter = Arc::new(limiter(limit)?);
    let ask = Ask::Task(Arc::new(move || {
        let limiter = Arc::clone(&limiter);
        Box::pin(async move {
            limiter.acquire_one().await;
            Ok(())
        })
    }));
    Ok(Queue { name: NAME, ask, refill: Refill::Every(limit.interval), close: Box::new(|| ()) })
}

/// A limiter that is empty, and stays so for as long as nobody lets its timer run.
#[derive(Debug)]
pub(crate) struct Starved(RateLimiter);

impl Starved {
    pub(crate) fn new(limit: Limit) -> Result<Self> {
        let limiter = limiter(limit)?;
        ensure!(limiter.try_acquire(limiter.balance()), "what the limit allows was denied");
        Ok(Self(limiter))
    }

    pub(crate) fn ask(&self) -> Acquire<'_> {
        self.0.acquire_one()
    }
}

fn limiter(limit: Limit) -> Result<RateLimiter> {
    let tokens = usize::try_from(limit.requests)?;
    Ok(RateLimiter::builder().initial(tokens).max(tokens).refill(tokens).interval(limit.interval).build())
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
