//! Our side: everything here that knows Scupper's interface.

pub(crate) mod in_line;
pub(crate) mod remote;

use std::hint::black_box;
use std::sync::Arc;

use anyhow::Result;
use scupper::{Decision, Limiter, Rate};

use crate::keys::Keys;
use crate::limit::{Limit, Outcome};
use crate::side::Side;

pub(crate) use scupper::Algorithm;

const NAME: &str = "scupper";

/// One bucket, asked by handle.
pub(crate) fn one_bucket(limits: &[Limit], algorithm: Algorithm, outcome: Outcome) -> Result<Side> {
    let bucket = limiter(limits, algorithm)?.bucket("one")?;
    outcome.prepare(NAME, limits[0], || outcome.is_admitted(bucket.try_acquire()))?;
    Ok(Side::repeating(NAME, move || {
        let decision = black_box(&bucket).try_acquire();
        outcome.is_admitted(black_box(decision))
    }))
}

/// One limiter for all keys, asked by key.
pub(crate) fn keyed(limit: Limit, keys: Arc<Keys>, outcome: Outcome) -> Result<Side> {
    let limiter = limiter(&[limit], Algorithm::SlidingWindowLog)?;
    for key in keys.all() {
        outcome.prepare(NAME, limit, || outcome.is_admitted(limiter.try_acquire(key)))?;
    }
    Ok(Side::visiting(NAME, keys, move |key: &String| {
        let decision = black_box(&limiter).try_acquire(key);
        outcome.is_admitted(black_box(decision))
    }))
}

/// A limiter to be filled and weighed: asks for one unit of a key.
pub(crate) fn weighed(limit: Limit, algorithm: Algorithm) -> Result<impl Fn(&String) -> Result<bool>> {
    let limiter = limiter(&[limit], algorithm)?;
    Ok(move |key: &String| Ok(limiter.try_acquire(key)?.is_admitted()))
}

fn limiter(limits: &[Limit], algorithm: Algorithm) -> Result<Limiter> {
    let rates = limits.iter().map(|limit| Rate::new(limit.requests.into(), limit.interval));
    Ok(Limiter::builder().algorithm(algorithm).rates(rates.collect::<scupper::Result<Vec<_>>>()?).build()?)
}

impl Outcome {
    /// Whether it was admitted; an error is the answer that this outcome does not expect.
    fn is_admitted(self, decision: scupper::Result<Decision<'_>>) -> bool {
        match decision {
            Ok(decision) => decision.is_admitted(),
            Err(_) => self == Self::Deny,
        }
    }
}
