//! throttlecrab: GCRA over a hash map with expiry times, as a library.
//!
//! Its limiter is not shared between threads by itself; its documentation says to put it in a
//! mutex, and to pass the time in, so both are part of its cost here. It copies the key for every
//! admission, so that the counting allocator of this program adds some 15 ns to its admissions;
//! it is shown for information only.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use throttlecrab::{AdaptiveStore, CellError, RateLimitResult, RateLimiter};

use crate::keys::Keys;
use crate::limit::{Limit, Outcome};
use crate::side::Side;

const NAME: &str = "throttlecrab";

/// One key of a keyed limiter: it has no other kind.
pub(crate) fn one_bucket(limit: Limit, outcome: Outcome) -> Result<Side> {
    let shared = Shared::new(limit, 1)?;
    let key = "user:0".to_owned();
    outcome.prepare(NAME, limit, || is_admitted(&shared.request(&key)))?;
    Ok(Side::repeating(NAME, move || {
        let verdict = black_box(&shared).request(black_box(&key));
        is_admitted(black_box(&verdict))
    }))
}

/// All keys, with room for them from the start.
pub(crate) fn keyed(limit: Limit, keys: Arc<Keys>, outcome: Outcome) -> Result<Side> {
    let shared = Shared::new(limit, keys.all().len())?;
    for key in keys.all() {
        outcome.prepare(NAME, limit, || is_admitted(&shared.request(key)))?;
    }
    Ok(Side::visiting(NAME, keys, move |key| {
        let verdict = black_box(&shared).request(key);
        is_admitted(black_box(&verdict))
    }))
}

type Verdict = Result<(bool, RateLimitResult), CellError>;

struct Shared {
    limiter: Mutex<RateLimiter<AdaptiveStore>>,
    burst: i64,
    count: i64,
    seconds: i64,
}

impl Shared {
    fn new(limit: Limit, keys: usize) -> Result<Self> {
        let (count, seconds) = in_seconds(limit)?;
        // More than three quarters full, its store looks for expired entries on every admission.
        let store = AdaptiveStore::builder().capacity(keys.max(100) * 2).build();
        Ok(Self { limiter: Mutex::new(RateLimiter::new(store)), burst: i64::from(limit.requests), count, seconds })
    }

    fn request(&self, key: &str) -> Verdict {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        limiter.rate_limit(key, self.burst, self.count, self.seconds, 1, now)
    }
}

fn is_admitted(verdict: &Verdict) -> bool {
    matches!(verdict, Ok((true, _)))
}

/// The same rate per whole seconds, which is what this crate takes.
fn in_seconds(limit: Limit) -> Result<(i64, i64)> {
    let nanoseconds = i64::try_from(limit.interval.as_nanos())?;
    let requests = i64::from(limit.requests);
    let second = 1_000_000_000;
    if nanoseconds >= second {
        ensure!(nanoseconds % second == 0, "not whole seconds: {limit:?}");
        return Ok((requests, nanoseconds / second));
    }
    let count = requests.checked_mul(second).context("too fast")? / nanoseconds;
    Ok((count, 1))
}
