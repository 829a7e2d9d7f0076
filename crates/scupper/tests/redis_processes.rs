//! Eight processes share one bucket in Redis, and some of them are killed wherever they are: together they never have more than
//! the rates allow, nor less, and nothing is counted twice.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::time::{Duration, Instant};

use scupper::{ErrorKind, Limiter, Permit, RedisStore};
use scupper_testbed::RedisServer;
use support::SECOND;
use support::redis::limiting;
use support::remote::processes::SharedBucket;
use support::remote::tests_for;

/// How long a request may wait, and how much longer it took if it did: a machine has much to do with so many processes.
const PATIENCE: Duration = SECOND;
const SLACK: Duration = Duration::from_millis(1_500);

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
        limiting(Self::RATES, &RedisStore::open(url).unwrap()).build().unwrap()
    }

    fn take<'a>(limiter: &'a Limiter, key: &'a str, weight: u64) -> Option<Permit<'a>> {
        let start = Instant::now();
        let permit = limiter.request(key).weight(weight).timeout(PATIENCE).acquire();
        assert!(start.elapsed() < PATIENCE + SLACK, "{:?}", start.elapsed());
        // Where the deadline passes during a call, what it admits yet is given back.
        permit.map_err(|error| assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unknown), "{error}")).ok()
    }
}

tests_for! { InRedis, processes:
    promises_1_and_2_processes_that_are_killed_leave_the_others_the_full_rate_and_no_more,
}
