//! Eight processes share one bucket in Redis, and some of them are killed wherever they are: together they never have more than
//! the rates allow, nor less, and nothing is counted twice.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use scupper::Limiter;
use scupper_testbed::RedisServer;
use support::redis::{open, patient};
use support::remote::processes::SharedBucket;
use support::remote::tests_for;

struct InRedis;

impl SharedBucket for InRedis {
    const RATES: &'static str = "40/100ms, 300/s";
    const LEAST: u64 = 93;
    type Server = RedisServer;

    fn start() -> RedisServer {
        RedisServer::start()
    }

    fn url(server: &RedisServer) -> String {
        server.url()
    }

    fn limiter(url: &str) -> Limiter {
        patient(Self::RATES, &open(url))
    }
}

tests_for! { InRedis, processes:
    promises_1_and_2_processes_that_are_killed_leave_the_others_the_full_rate_and_no_more,
}
