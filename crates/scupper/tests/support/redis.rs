//! A store in Redis with a fault in its way, and what is seen of its buckets past the fault.

use scupper::store::{Action, Batch, Operation, Store};
use scupper::{Limiter, RedisStore, RedisStoreBuilder, Result};
use scupper_testbed::{Proxy, RedisServer};

use crate::support::SECOND;
pub(crate) use crate::support::remote::{
    AT_ONCE, PATIENCE, RemoteBed, admits, by_default, is_within, limiting, list_all, patient, quota, recovers, refused,
    submit, through_outages, used,
};

/// What every key begins with, unless a test says otherwise.
pub(crate) const PREFIX: &str = "scupper:";

/// With none of the limits of time that a test on a busy machine might come to.
pub(crate) fn without_hurry(builder: RedisStoreBuilder) -> RedisStoreBuilder {
    builder.connect_within(PATIENCE).answer_within(2 * PATIENCE).wait_to_be_sent(PATIENCE)
}

/// A store that this URL names, in no hurry.
#[track_caller]
pub(crate) fn open(url: &str) -> RedisStore {
    without_hurry(RedisStore::builder(url)).open().unwrap()
}

/// The same, once its servers have been reached.
pub(crate) fn connect(url: &str) -> Result<RedisStore> {
    without_hurry(RedisStore::builder(url)).connect_blocking()
}

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
        let direct = open(&server.url());
        // So that the server has the script, and the first request is one like others.
        let _ = direct.submit(Batch::from(&Operation::new("", Action::Peek { quota: &quota("1/s") }))).wait();
        Self { server, proxy, direct }
    }

    /// Of a store that reaches the server through the proxy.
    pub(crate) fn builder(&self) -> RedisStoreBuilder {
        RedisStore::builder(&format!("redis://127.0.0.1:{}", self.proxy.port()))
    }

    pub(crate) fn store(&self) -> RedisStore {
        without_hurry(self.builder()).open().unwrap()
    }

    pub(crate) fn limiter(&self, rates: &str) -> Limiter {
        patient(rates, &self.store())
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

impl RemoteBed for Bed {
    type Store = RedisStore;

    const OPENING: &'static [&'static str] = &["PING"];

    const FOR_ONE_GIVEN_UP: u64 = 1;

    fn make() -> Self {
        Self::new()
    }

    fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.proxy.port())
    }

    fn connect(url: &str) -> impl Future<Output = Result<RedisStore>> + Send {
        RedisStore::connect(url)
    }

    fn connect_blocking(url: &str) -> Result<RedisStore> {
        RedisStore::connect_blocking(url)
    }

    fn one_by_one(&self) -> RedisStore {
        without_hurry(self.builder()).calls_at_once(1).open().unwrap()
    }

    fn by_default(&self) -> RedisStore {
        self.builder().calls_at_once(1).connect_within(PATIENCE).open().unwrap()
    }

    fn impatient(&self) -> RedisStore {
        without_hurry(self.builder()).answer_within(SECOND).open().unwrap()
    }

    fn direct(&self) -> &RedisStore {
        &self.direct
    }

    fn has(&self, key: &str) -> bool {
        self.server.command(&["EXISTS", &format!("{PREFIX}{key}")]).integer() == 1
    }

    fn sessions(&self) -> i64 {
        let told = self.server.command(&["INFO", "clients"]).text();
        let clients = told.lines().find_map(|line| line.strip_prefix("connected_clients:")).unwrap();
        // But for the store that goes past the proxy, and for who asks.
        clients.parse::<i64>().unwrap() - 2
    }
}
