//! A store in Redis with a fault in its way, and what is seen of its buckets past the fault.

use scupper::store::{Action, Batch, Operation, Store};
use scupper::{Limiter, RedisStore, RedisStoreBuilder};
use scupper_testbed::{Proxy, RedisServer};

pub(crate) use crate::support::remote::{
    admits, limiting, list_all, quota, recovers, refused, submit, through_outages, used,
};

/// What every key begins with, unless a test says otherwise.
pub(crate) const PREFIX: &str = "scupper:";

/// A server of the test's own, and a proxy before it.
pub(crate) struct Bed {
    pub(crate) server: RedisServer,
    pub(crate) proxy: Proxy,
    direct: RedisStore,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::before(RedisServer::start())
    }

    pub(crate) fn before(server: RedisServer) -> Self {
        let proxy = Proxy::to(server.address());
        let direct = RedisStore::open(&server.url()).unwrap();
        // So that the server has the script, and the first request is one like others.
        let _ = direct.submit(Batch::from(&Operation::new("", Action::Peek { quota: &quota("1/s") }))).wait();
        Self { server, proxy, direct }
    }

    /// Of a store that reaches the server through the proxy.
    pub(crate) fn builder(&self) -> RedisStoreBuilder {
        RedisStore::builder(&format!("redis://127.0.0.1:{}", self.proxy.port()))
    }

    pub(crate) fn store(&self) -> RedisStore {
        self.builder().open().unwrap()
    }

    pub(crate) fn limiter(&self, rates: &str) -> Limiter {
        limiting(rates, &self.store()).build().unwrap()
    }

    /// A store that no fault meets.
    pub(crate) fn direct(&self) -> &RedisStore {
        &self.direct
    }

    /// Units in use under the first of these rates, as the server has it.
    #[track_caller]
    pub(crate) fn used(&self, key: &str, rates: &str) -> u64 {
        used(&self.direct, key, rates)
    }
}
