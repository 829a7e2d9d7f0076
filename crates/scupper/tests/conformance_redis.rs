//! The store in Redis passes the suite for stores: on one server, and in a cluster.
#![cfg(all(feature = "conformance", feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use scupper::RedisStore;
use scupper::conformance::Opened;
use scupper_testbed::SharedRedis;

/// A store with keys of its own.
fn store_at(url: &str) -> Opened {
    Opened::new(RedisStore::builder(url).prefix(SharedRedis::get().prefix()).open().unwrap())
}

mod standalone {
    use super::{Opened, SharedRedis, store_at};

    fn store() -> Opened {
        store_at(SharedRedis::get().url())
    }

    scupper::conformance_tests!(store);
}

mod cluster {
    use std::sync::OnceLock;

    use scupper_testbed::RedisCluster;

    use super::{Opened, store_at};

    fn store() -> Opened {
        static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
        store_at(&CLUSTER.get_or_init(RedisCluster::start).url())
    }

    scupper::conformance_tests!(store);
}
