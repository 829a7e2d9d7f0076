//! A limiter whose buckets are on a server.

use std::sync::Arc;

use anyhow::Result;
use fastrand::Rng;
use scupper::Limiter;

use crate::caller::Caller;

/// One that asks for the same key.
pub(crate) struct OneKey {
    pub(crate) limiter: Limiter,
    pub(crate) key: &'static str,
}

impl Caller for OneKey {
    async fn call(&mut self) -> Result<bool> {
        Ok(self.limiter.try_acquire_async(self.key).await?.is_admitted())
    }
}

/// One that asks for any of many keys.
pub(crate) struct AnyKey {
    pub(crate) limiter: Limiter,
    pub(crate) keys: Arc<[String]>,
    pub(crate) random: Rng,
}

impl Caller for AnyKey {
    async fn call(&mut self) -> Result<bool> {
        let key = &self.keys[self.random.usize(..self.keys.len())];
        Ok(self.limiter.try_acquire_async(key).await?.is_admitted())
    }
}
