//! Our side: everything here that knows Scupper's interface.

pub(crate) mod asked;
pub(crate) mod in_line;

use std::hint::black_box;
use std::sync::Arc;

use anyhow::Result;
use scupper::store::Store;
use scupper::{Decision, Limiter, MemoryStore, Rate};

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

/// One limiter in memory for all keys, asked by key.
pub(crate) fn keyed(limit: Limit, keys: Arc<Keys>, outcome: Outcome) -> Result<Side> {
    let limits = &[limit];
    Keyed { name: NAME, limits, algorithm: Algorithm::SlidingWindowLog, keys, outcome }
        .side(Arc::new(MemoryStore::new()))
}

/// One limiter for all keys, and what is asked of it by key.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<'a> {
    pub(crate) name: &'static str,
    /// The first of them is full before the others.
    pub(crate) limits: &'a [Limit],
    pub(crate) algorithm: Algorithm,
    pub(crate) keys: Arc<Keys>,
    pub(crate) outcome: Outcome,
}

impl Keyed<'_> {
    /// The limiter on this store, with every key prepared for what is asked.
    pub(crate) fn side(self, store: Arc<dyn Store>) -> Result<Side> {
        let limiter = build(self.limits, self.algorithm, store)?;
        for key in self.keys.all() {
            self.outcome.prepare(self.name, self.limits[0], || self.outcome.is_admitted(limiter.try_acquire(key)))?;
        }
        Ok(self.asking(limiter))
    }

    /// The same where others have prepared the keys.
    pub(crate) fn prepared_side(self, store: Arc<dyn Store>) -> Result<Side> {
        let limiter = build(self.limits, self.algorithm, store)?;
        Ok(self.asking(limiter))
    }

    fn asking(self, limiter: Limiter) -> Side {
        let outcome = self.outcome;
        Side::visiting(self.name, self.keys, move |key: &String| {
            let decision = black_box(&limiter).try_acquire(key);
            outcome.is_admitted(black_box(decision))
        })
    }
}

/// A limiter to be filled and weighed: asks for one unit of a key.
pub(crate) fn weighed(limit: Limit, algorithm: Algorithm) -> Result<impl Fn(&String) -> Result<bool>> {
    let limiter = limiter(&[limit], algorithm)?;
    Ok(move |key: &String| Ok(limiter.try_acquire(key)?.is_admitted()))
}

fn limiter(limits: &[Limit], algorithm: Algorithm) -> Result<Limiter> {
    build(limits, algorithm, Arc::new(MemoryStore::new()))
}

fn build(limits: &[Limit], algorithm: Algorithm, store: Arc<dyn Store>) -> Result<Limiter> {
    let rates = limits.iter().map(|limit| Rate::new(limit.requests.into(), limit.interval));
    let rates = rates.collect::<scupper::Result<Vec<_>>>()?;
    Ok(Limiter::builder().algorithm(algorithm).rates(rates).shared_store(store).build()?)
}

impl Outcome {
    /// Whether it was admitted; an error is the answer that this outcome does not expect.
    fn is_admitted(self, decision: scupper::Result<Decision<'_>>) -> bool {
        match decision {
            Ok(decision) => decision.is_admitted(),
            Err(_) => self.other(),
        }
    }
}
