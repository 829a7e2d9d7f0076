//! A limiter whose buckets others may ask for too.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use fastrand::Rng;
use scupper::store::Store;
use scupper::{Algorithm, Decision, Limiter, LimiterBuilder, PostgresStore, PostgresStoreBuilder, Rate};
use scupper::{RedisStore, RedisStoreBuilder};

use crate::caller::{Caller, Laps, PATIENCE};
use crate::limit::Limit;

/// A limiter to be asked by many.
#[derive(Clone, Debug)]
pub(crate) struct Asked(Limiter);

pub(crate) fn redis(url: &str) -> RedisStoreBuilder {
    RedisStore::builder(url).answer_within(PATIENCE).wait_to_be_sent(PATIENCE)
}

pub(crate) fn postgres(url: &str) -> PostgresStoreBuilder {
    let store = PostgresStore::builder(url).connect_within(PATIENCE).answer_within(PATIENCE);
    store.lock_within(PATIENCE).wait_to_be_sent(PATIENCE)
}

impl Asked {
    pub(crate) fn open(limits: &[Limit], algorithm: Algorithm, store: Arc<dyn Store>) -> Result<Self> {
        Self::with(limits, store, |limiter| limiter.algorithm(algorithm))
    }

    /// One that has no memory for denials.
    pub(crate) fn open_without_cache(limits: &[Limit], store: Arc<dyn Store>) -> Result<Self> {
        Self::with(limits, store, |limiter| limiter.denial_cache(Duration::ZERO))
    }

    fn with(
        limits: &[Limit],
        store: Arc<dyn Store>,
        settings: impl FnOnce(LimiterBuilder) -> LimiterBuilder,
    ) -> Result<Self> {
        let rates = limits.iter().map(|limit| Rate::new(limit.requests.into(), limit.interval));
        let limiter = Limiter::builder().rates(rates.collect::<scupper::Result<Vec<_>>>()?).call_timeout(PATIENCE);
        Ok(Self(settings(limiter).shared_store(store).build()?))
    }

    /// Asks for one unit, blocking the thread until the store has answered.
    pub(crate) fn is_admitted(&self, key: &str) -> Result<bool> {
        Ok(self.0.try_acquire(key)?.is_admitted())
    }

    /// Asks for this key again and again.
    pub(crate) fn ask_for(&self, key: &str, laps: &mut Laps) -> Result<()> {
        laps.fill(|| self.is_admitted(key))
    }

    /// Asks for any of these, in an order of the number's own.
    pub(crate) fn ask_for_any(&self, keys: &[String], number: u64, laps: &mut Laps) -> Result<()> {
        let mut random = Rng::with_seed(number);
        laps.fill(|| self.is_admitted(&keys[random.usize(..keys.len())]))
    }

    /// Has so many requests of this weight admitted, each at a time of its own.
    pub(crate) fn fill(&self, key: &str, weight: u32, requests: u32) -> Result<()> {
        let mut last = None;
        for nth in 1..=requests {
            let Decision::Admitted(permit) = self.0.request(key).weight(weight.into()).try_acquire()? else {
                bail!("request {nth} of {requests} was denied");
            };
            ensure!(last.replace(permit.tick()) != Some(permit.tick()), "two requests were counted at one time");
        }
        Ok(())
    }

    /// One that asks for this key alone.
    pub(crate) fn one(&self, key: &'static str) -> impl Caller + use<> {
        OneKey { limiter: self.0.clone(), key }
    }

    /// One that asks for any of these, in an order of its number's own.
    pub(crate) fn any(&self, keys: &Arc<[String]>, number: u64) -> impl Caller + use<> {
        AnyKey { limiter: self.0.clone(), keys: Arc::clone(keys), random: Rng::with_seed(number) }
    }
}

struct OneKey {
    limiter: Limiter,
    key: &'static str,
}

impl Caller for OneKey {
    async fn call(&mut self) -> Result<bool> {
        Ok(self.limiter.try_acquire_async(self.key).await?.is_admitted())
    }
}

struct AnyKey {
    limiter: Limiter,
    keys: Arc<[String]>,
    random: Rng,
}

impl Caller for AnyKey {
    async fn call(&mut self) -> Result<bool> {
        let key = &self.keys[self.random.usize(..self.keys.len())];
        Ok(self.limiter.try_acquire_async(key).await?.is_admitted())
    }
}
