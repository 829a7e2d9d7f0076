//! Redis itself refuses, forgets, dies or goes silent: that is an error which says so, in time, never a denial; nothing is half
//! done; and when it serves again, so does the store.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use scupper::{Decision, ErrorKind};
use scupper_testbed::{Ends, RedisServer, await_that, free_port};
use support::redis::{AT_ONCE, Bed, admits, by_default, open, patient, recovers, refused};
use support::remote::outage::each_policy_rules_while_it_is_away;

const RATES: &str = "1000/h";

#[test]
fn promise_8_a_forgotten_script_is_sent_again_and_every_request_counts_once() {
    let bed = Bed::new();
    let limiter = bed.limiter("1000000/h");
    let (is_over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for key in ["a", "b", "c", "d"] {
            let (limiter, is_over, asked) = (&limiter, &is_over, &asked);
            threads.spawn(move || {
                let mut count = 0;
                while !is_over.load(Ordering::Relaxed) {
                    admits(limiter, key);
                    count += 1;
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                assert_eq!(limiter.peek(key).unwrap().usage[0].used, count, "{key}");
            });
        }
        for _ in 0..200 {
            let before = asked.load(Ordering::Relaxed);
            bed.server.flush_scripts();
            await_that("requests go on", || asked.load(Ordering::Relaxed) > before + 4);
        }
    });
    bed.server.flush_scripts();
    admits(&limiter, "a");
}

#[test]
fn promise_8_a_server_that_dies_is_an_error_and_the_same_store_goes_on_when_it_is_back() {
    let bed = Bed::new();
    let limiter = patient(RATES, bed.direct());
    for _ in 0..3 {
        recovers(&limiter, "key");
        bed.server.kill();
        for _ in 0..20 {
            let start = Instant::now();
            let error = refused(limiter.try_acquire("key"));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.message().contains(&bed.server.port().to_string()), "{error}");
            assert!(start.elapsed() < AT_ONCE);
        }
        bed.server.restart();
        let (took, _) = recovers(&limiter, "key");
        assert!(took < AT_ONCE, "{took:?}");
        // It kept nothing on disk.
        assert_eq!(bed.used("key", RATES), 1);
    }
}

#[test]
fn promise_8_requests_under_way_when_the_server_dies_are_errors_and_none_is_sent_twice() {
    let bed = Bed::before(RedisServer::builder().line("appendonly yes").line("appendfsync always").start());
    let limiter = patient("1000000/h", bed.direct());
    let (admitted, unknown, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let ask = || {
        while !is_over.load(Ordering::Relaxed) {
            match limiter.try_acquire("key") {
                Ok(Decision::Admitted(_)) => admitted.fetch_add(1, Ordering::Relaxed),
                Err(error) if error.kind() == ErrorKind::Unknown => unknown.fetch_add(1, Ordering::Relaxed),
                Err(error) if error.kind() == ErrorKind::Unavailable => 0,
                other => panic!("{other:?}"),
            };
        }
    };
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for _ in 0..4 {
            threads.spawn(ask);
        }
        let some_are_admitted = || {
            let before = admitted.load(Ordering::Relaxed);
            await_that("requests are admitted", || admitted.load(Ordering::Relaxed) > before + 10);
        };
        for _ in 0..3 {
            some_are_admitted();
            bed.server.kill();
            bed.server.restart();
        }
        some_are_admitted();
    });
    // Each admission is on disk before it is answered.
    let (used, admitted, unknown) = (bed.used("key", "1000000/h"), admitted.into_inner(), unknown.into_inner());
    assert!((admitted..=admitted + unknown).contains(&used), "{used} used, {admitted} admitted, {unknown} unknown");
}

#[test]
fn promise_8_a_server_that_stands_still_is_an_error_in_time_and_what_it_admits_yet_is_given_back() {
    let bed = Bed::new();
    let store = bed.store();
    let (limiter, hasty) = (patient(RATES, &store), by_default(RATES, &store));
    let keys: Vec<String> = (0..8).map(|number| format!("key-{number}")).collect();
    for key in &keys {
        admits(&limiter, key);
    }
    bed.server.stall();
    thread::scope(|threads| {
        for key in &keys {
            threads.spawn(|| {
                let start = Instant::now();
                let error = refused(hasty.request(key).weight(10).try_acquire());
                assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Unavailable), "{error}");
                assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
            });
        }
    });
    bed.server.go_on();
    await_that("what was taken late is given back", || keys.iter().all(|key| bed.used(key, RATES) == 1));
    for key in &keys {
        admits(&limiter, key);
    }
}

#[test]
fn promise_8_a_server_that_sleeps_for_less_than_the_limit_makes_requests_slow_and_nothing_else() {
    let bed = Bed::before(RedisServer::builder().line("enable-debug-command local").start());
    let limiter = bed.limiter(RATES);
    admits(&limiter, "key");
    let mut client = bed.server.client().unwrap();
    client.send(&["DEBUG", "SLEEP", "0.4"]).unwrap();
    for _ in 0..3 {
        admits(&limiter, "key");
    }
    let _ = client.receive().unwrap().granted();
    assert_eq!(bed.used("key", RATES), 4);
}

#[test]
fn promise_8_a_server_that_is_busy_with_a_script_is_unavailable_and_recovers() {
    let bed = Bed::before(RedisServer::builder().line("busy-reply-threshold 50").start());
    let (limiter, newcomer) = (bed.limiter(RATES), bed.limiter(RATES));
    admits(&limiter, "key");
    let mut client = bed.server.client().unwrap();
    client.send(&["EVAL", "while true do end", "0"]).unwrap();
    await_that("the server says so", || bed.server.command(&["PING"]).text().starts_with("BUSY"));
    for limiter in [&limiter, &newcomer] {
        let error = refused(limiter.try_acquire("key"));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("BUSY Redis is busy running a script"), "{error}");
        assert_eq!(limiter.peek("key").unwrap_err().kind(), ErrorKind::Unavailable);
    }
    let _ = bed.server.command(&["SCRIPT", "KILL"]).granted();
    assert!(client.receive().unwrap().text().contains("killed"));
    admits(&limiter, "key");
    recovers(&newcomer, "key");
    assert_eq!(bed.used("key", RATES), 3);
}

#[test]
fn promise_8_a_server_that_loads_its_data_is_unavailable_and_recovers() {
    let slow = ["enable-debug-command local", "key-load-delay 2000", "loading-process-events-interval-bytes 1024"];
    let server = slow.iter().fold(RedisServer::builder(), |builder, line| builder.line(line)).start();
    let bed = Bed::before(server);
    let (limiter, newcomer) = (bed.limiter(RATES), bed.limiter(RATES));
    admits(&limiter, "key");
    let mut client = bed.server.client().unwrap();
    let _ = client.command(&["DEBUG", "POPULATE", "1500", "others", "100"]).unwrap().granted();
    client.send(&["DEBUG", "RELOAD"]).unwrap();
    await_that("the server says so", || bed.server.command(&["GET", "x"]).text().starts_with("LOADING"));
    for limiter in [&limiter, &newcomer] {
        let error = refused(limiter.try_acquire("key"));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("LOADING Redis is loading the dataset"), "{error}");
    }
    let _ = client.receive().unwrap().granted();
    recovers(&newcomer, "key");
    admits(&limiter, "key");
    assert_eq!(bed.used("key", RATES), 3);
}

#[test]
fn promise_8_a_server_that_became_a_replica_is_unavailable_and_says_to_name_its_master() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    admits(&limiter, "key");
    let port = free_port().to_string();
    let _ = bed.server.command(&["REPLICAOF", "127.0.0.1", &port]).granted();
    for key in ["key", "other", "key"] {
        let error = refused(limiter.try_acquire(key));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("is a replica and takes no changes; name its master"), "{error}");
        assert_eq!(limiter.acquire(key).unwrap_err().kind(), ErrorKind::Unavailable);
    }
    let _ = bed.server.command(&["REPLICAOF", "NO", "ONE"]).granted();
    admits(&limiter, "key");
    assert_eq!((bed.used("key", RATES), bed.used("other", RATES)), (2, 0));
}

/// How many there are, with the one who asks.
fn clients(server: &RedisServer) -> u64 {
    let info = server.command(&["INFO", "clients"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix("connected_clients:"));
    line.unwrap().parse().unwrap()
}

#[test]
fn promise_2_a_client_that_the_server_throws_out_comes_back() {
    let server = RedisServer::start();
    let limiter = patient(RATES, &open(&server.url()));
    for _ in 0..30 {
        admits(&limiter, "key");
        let _ = server.command(&["CLIENT", "KILL", "TYPE", "normal"]).granted();
        await_that("nobody but who asks is left", || clients(&server) == 1);
    }
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 30);
}

#[test]
fn promise_2_a_client_that_the_server_sends_away_for_idling_comes_back() {
    let server = RedisServer::start();
    let limiter = patient(RATES, &open(&server.url()));
    let _ = server.command(&["CONFIG", "SET", "timeout", "1"]).granted();
    admits(&limiter, "key");
    await_that("the server has sent it away", || clients(&server) == 1);
    admits(&limiter, "key");
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 2);
}

#[test]
fn promise_8_a_server_with_as_many_clients_as_it_may_have_is_unavailable() {
    let server = RedisServer::builder().line("maxclients 3").start();
    let limiter = patient(RATES, &open(&server.url()));
    let mut others: Vec<_> = (0..3).map(|_| server.client().unwrap()).collect();
    for other in &mut others {
        let _ = other.command(&["PING"]).unwrap().granted();
    }
    let error = refused(limiter.try_acquire("key"));
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("maxclients"), "{error}");
    others.clear();
    recovers(&limiter, "key");
}

#[test]
fn promise_8_each_policy_rules_while_the_server_is_away_and_the_server_does_when_it_is_back() {
    let server = RedisServer::start();
    let store = open(&server.url());
    let used = each_policy_rules_while_it_is_away(&store, || server.kill(), || server.restart());
    assert_eq!(used, 4, "it has forgotten those before");
}
