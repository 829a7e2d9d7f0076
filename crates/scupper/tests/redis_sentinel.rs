//! Behind Sentinel, the store finds the master, leaves it when it is none any more, and finds the next one by itself.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::{ErrorKind, Limiter, LimiterBuilder, RedisStore};
use scupper_testbed::{Fault, Proxy, RedisSentinel, Reply, await_that, free_port};
use support::SECOND;
use support::redis::{AT_ONCE, admits, connect, is_within, open, patient, recovers, refused, through_outages};

const RATES: &str = "1000000/h";

fn limiter(servers: &RedisSentinel) -> Limiter {
    patient(RATES, &open(&servers.url()))
}

fn under_load(limiter: &Limiter, work: impl FnOnce()) {
    through_outages(limiter, &["a", "b", "c"], work);
}

#[test]
fn promise_8_master_and_replica_change_places_under_load_and_no_request_is_denied() {
    let servers = RedisSentinel::start();
    let limiter = limiter(&servers);
    admits(&limiter, "a");
    under_load(&limiter, || {
        for _ in 0..2 {
            servers.fail_over();
            let (took, _) = recovers(&limiter, "a");
            assert!(took < AT_ONCE, "{took:?}");
            servers.await_replica();
        }
    });
    // What is admitted is counted by the one that is master now.
    let now = patient(RATES, &open(&servers.primary().url()));
    let before = now.peek("a").unwrap().usage[0].used;
    admits(&limiter, "a");
    assert_eq!(now.peek("a").unwrap().usage[0].used, before + 1);
}

#[test]
fn promise_8_a_master_is_killed_under_load_and_the_replica_takes_its_place() {
    let servers = RedisSentinel::start();
    let limiter = limiter(&servers);
    admits(&limiter, "a");
    under_load(&limiter, || {
        servers.kill_primary();
        let (took, _) = recovers(&limiter, "a");
        assert!(took < AT_ONCE, "{took:?}");
    });
    admits(&limiter, "b");
}

#[test]
fn promise_8_a_master_that_was_demoted_without_a_word_is_left_for_the_new_one() {
    let servers = RedisSentinel::start();
    let limiter = limiter(&servers);
    admits(&limiter, "key");
    let (old, new) = (servers.primary(), servers.replica());
    // Sentinel would close the connections of the old master, and here nobody does: it is asked once more.
    let old_link = |server: &scupper_testbed::RedisServer| {
        let list = server.command(&["CLIENT", "LIST", "TYPE", "normal"]).text();
        list.lines().filter(|line| line.contains("cmd=evalsha")).count()
    };
    assert_eq!(old_link(old), 1);
    let _ = new.command(&["REPLICAOF", "NO", "ONE"]).granted();
    let _ = old.command(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]).granted();
    await_that("Sentinel names the new master, or has put the old one back", || limiter.try_acquire("key").is_ok());
    assert!(old_link(servers.primary()) >= 1);
    admits(&limiter, "key");
}

#[test]
fn promise_2_sentinels_that_are_away_matter_only_when_a_master_is_looked_for() {
    let servers = RedisSentinel::start();
    let limiter = limiter(&servers);
    admits(&limiter, "key");
    servers.sentinel().kill();
    for _ in 0..20 {
        admits(&limiter, "key");
    }
    let newcomer = self::limiter(&servers);
    let error = refused(newcomer.try_acquire("key"));
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("no sentinel says who the master `mymaster` is"), "{error}");
    servers.sentinel().restart();
    recovers(&newcomer, "key");
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 22);
}

#[test]
fn a_sentinel_that_is_away_is_passed_over_and_a_wrong_name_is_told() {
    let servers = RedisSentinel::start();
    let url = servers.url();
    let (scheme, rest) = url.split_once("127.0.0.1").unwrap();
    let with_others = format!("{scheme}127.0.0.1:{},127.0.0.1{rest}", free_port());
    let limiter = patient(RATES, &connect(&with_others).unwrap());
    admits(&limiter, "key");
    let error = connect(&url.replace("mymaster", "yours")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.message().contains("knows no master `yours`"), "{error}");
}

#[test]
fn passwords_of_servers_and_sentinels_are_told_apart() {
    let servers = RedisSentinel::builder().password("of-servers").sentinel_password("of-sentinels").start();
    let url = servers.url();
    let error = connect(&url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.message().contains("sentinel_password"), "{error}");
    let url = format!("{url}?sentinel_password=of-sentinels");
    let limiter = patient(RATES, &connect(&url).unwrap());
    admits(&limiter, "key");
    servers.fail_over();
    recovers(&limiter, "key");
    let wrong = url.replace("of-servers", "of-nobody");
    let error = connect(&wrong).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(!format!("{error:?}").contains("of-nobody"), "{error:?}");
    assert_ne!(servers.primary().command(&["GET", "scupper:key"]), Reply::Nil);
}

/// Sentinel, connection and question share the time in which a connection is made: there is a reason to tell when the call ends.
#[test]
fn promise_8_a_slow_sentinel_and_a_silent_master_are_told_within_the_time_of_a_call() {
    let servers = RedisSentinel::start();
    let proxy = Proxy::to(servers.sentinel().address());
    proxy.set(Fault::delay(SECOND / 8));
    servers.primary().stall();
    let url = format!("redis+sentinel://127.0.0.1:{}/mymaster", proxy.port());
    // In no hurry, which the store is by default.
    let limiter = patient(RATES, &RedisStore::open(&url).unwrap());
    is_within(LimiterBuilder::CALL_TIMEOUT, || {
        let error = refused(limiter.try_acquire("a"));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    });
    servers.primary().go_on();
}
