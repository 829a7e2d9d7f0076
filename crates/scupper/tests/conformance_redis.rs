//! The store in Redis passes the suite for stores.
#![cfg(all(feature = "conformance", feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use scupper::RedisStore;
use scupper::conformance::Opened;
use scupper_testbed::SharedRedis;

mod standalone {
    use super::{Opened, RedisStore, SharedRedis};

    fn store() -> Opened {
        let redis = SharedRedis::get();
        Opened::new(RedisStore::builder(redis.url()).prefix(redis.prefix()).open().unwrap())
    }

    scupper::conformance_tests!(store);
}
