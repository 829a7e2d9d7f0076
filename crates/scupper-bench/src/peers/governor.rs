//! governor: GCRA in an atomic, direct or in a `DashMap`, read through the `quanta` clock.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::keys::Keys;
use crate::limit::{Limit, Outcome};
use crate::queue::{Ask, Queue, Refill};
use crate::side::Side;

pub(crate) const NAME: &str = "governor";

/// One limiter without keys.
pub(crate) fn one_bucket(limit: Limit, outcome: Outcome) -> Result<Side> {
    let limiter = RateLimiter::direct(quota(limit)?);
    outcome.prepare(NAME, limit, || limiter.check().is_ok())?;
    Ok(Side::repeating(NAME, move || {
        let verdict = black_box(&limiter).check();
        black_box(&verdict).is_ok()
    }))
}

/// One limiter for all keys, with its default state store and hasher.
pub(crate) fn keyed(limit: Limit, keys: Arc<Keys>, outcome: Outcome) -> Result<Side> {
    let limiter = RateLimiter::keyed(quota(limit)?);
    for key in keys.all() {
        outcome.prepare(NAME, limit, || limiter.check_key(key).is_ok())?;
    }
    Ok(Side::visiting(NAME, keys, move |key| {
        let verdict = black_box(&limiter).check_key(key);
        black_box(&verdict).is_ok()
    }))
}

/// A limiter to be filled and weighed.
pub(crate) fn weighed(limit: Limit) -> Result<impl Fn(&String) -> Result<bool>> {
    let limiter: DefaultKeyedRateLimiter<String> = RateLimiter::keyed(quota(limit)?);
    Ok(move |key: &String| Ok(limiter.check_key(key).is_ok()))
}

/// One limiter for tasks that wait, full at first, and then refilled one by one.
pub(crate) fn in_line(limit: Limit) -> Result<Queue> {
    let limiter = Arc::new(RateLimiter::direct(quota(limit)?));
    let ask = Ask::Task(Arc::new(move || {
        let limiter = Arc::clone(&limiter);
        Box::pin(async move {
            limiter.until_ready().await;
            Ok(())
        })
    }));
    Ok(Queue { name: NAME, ask, refill: Refill::OneEach(limit.spacing()), close: Box::new(|| ()) })
}

fn quota(limit: Limit) -> Result<Quota> {
    let burst = NonZeroU32::new(limit.requests).context("a limit of nothing")?;
    let quota = Quota::with_period(limit.spacing()).context("a limit without spacing")?;
    Ok(quota.allow_burst(burst))
}
