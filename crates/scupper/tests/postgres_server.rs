//! The server dies, comes back, stands still or is not there: what was asked is an error in time, never a denial, never twice; and
//! whoever asks again is served.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use scupper::{Decision, ErrorKind, Limiter, PostgresStore};
use scupper_testbed::{Ends, PostgresServer, await_that, free_port};
use support::postgres::{AT_ONCE, admits, by_default, patient, recovers, refused, without_hurry};
use support::remote::outage::each_policy_rules_while_it_is_away;

const RATES: &str = "1000/h";
const KEY: &str = "user:42";

fn store(server: &PostgresServer) -> PostgresStore {
    without_hurry(PostgresStore::builder(&server.url())).open().unwrap()
}

fn limiter(server: &PostgresServer) -> Limiter {
    patient(RATES, &store(server))
}

#[test]
fn promise_2_a_restart_between_two_requests_costs_none_and_forgets_nothing() {
    let server = PostgresServer::start();
    let limiter = limiter(&server);
    for turn in 0..4 {
        admits(&limiter, KEY);
        if turn % 2 == 0 {
            server.stop();
        }
        server.restart();
        assert_eq!(limiter.peek(KEY).unwrap().usage[0].used, turn + 1);
    }
}

#[test]
fn promise_8_a_server_that_is_away_is_unavailable_at_once_and_serves_when_it_is_back() {
    let server = PostgresServer::start();
    let limiter = limiter(&server);
    let port = server.port().to_string();
    for turn in 0..3 {
        recovers(&limiter, KEY);
        server.kill();
        for _ in 0..20 {
            let start = Instant::now();
            let error = refused(limiter.try_acquire(KEY));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.message().contains(&port), "{error}");
            assert!(start.elapsed() < AT_ONCE);
        }
        server.restart();
        let (took, _) = recovers(&limiter, KEY);
        assert!(took < AT_ONCE, "{took:?}");
        assert_eq!(limiter.peek(KEY).unwrap().usage[0].used, 2 * (turn + 1));
    }
}

#[test]
fn a_server_that_nobody_runs_is_unavailable_and_named() {
    let port = free_port();
    let url = PostgresServer::url_at(port);
    let error = PostgresStore::connect_blocking(&url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains(&format!("127.0.0.1:{port}")), "{error}");
    let limiter = patient(RATES, &PostgresStore::open(&url).unwrap());
    assert_eq!(refused(limiter.try_acquire(KEY)).kind(), ErrorKind::Unavailable);
}

#[test]
fn who_is_not_let_in_is_told_so_and_sees_no_password_in_it() {
    let server = PostgresServer::builder().allow("host all all 127.0.0.1/32 scram-sha-256").start();
    server.ask("CREATE ROLE guest LOGIN PASSWORD 'open sesame'; GRANT CREATE ON DATABASE scupper TO guest");
    let url_as = |role: &str| format!("{}?connect_timeout=10", server.url_as(role));
    let good = url_as("guest:open%20sesame");
    admits(&patient(RATES, &PostgresStore::connect_blocking(&good).unwrap()), KEY);
    let absent = good.replace("/scupper", "/nowhere");
    for (url, words) in [
        (url_as("guest:abracadabra"), "refused the connection"),
        (url_as("guest"), "postgres://user:password@host, as neither PGPASSWORD nor ~/.pgpass is read"),
        (url_as("nobody:abracadabra"), "refused the connection"),
        (absent, "refused the connection"),
    ] {
        let error = PostgresStore::connect_blocking(&url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.message().contains(words), "{words}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("abracadabra") && !shown.contains("sesame"), "{shown}");
    }
}

#[test]
fn promise_8_requests_under_way_when_the_server_dies_are_errors_and_none_is_sent_twice() {
    let server = PostgresServer::start();
    let limiter = patient("1000000/h", &store(&server));
    let (admitted, unknown, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let ask = || {
        while !is_over.load(Ordering::Relaxed) {
            match limiter.try_acquire(KEY) {
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
        for turn in 0..3 {
            let before = admitted.load(Ordering::Relaxed);
            await_that("requests are admitted", || admitted.load(Ordering::Relaxed) > before + 10);
            if turn == 1 {
                server.stop();
            }
            server.restart();
        }
    });
    let (admitted, unknown) = (admitted.into_inner(), unknown.into_inner());
    recovers(&limiter, "user:first");
    // What is committed outlives the server, which may have answered nobody.
    let used = limiter.peek(KEY).unwrap().usage[0].used;
    assert!((admitted..=admitted + unknown).contains(&used), "{used} used, {admitted} admitted, {unknown} unknown");
}

/// Whether its log has a commit over which it dies, nobody knows before it is back.
#[test]
fn promise_8_what_a_server_dies_over_as_it_cannot_write_its_log_is_unknown() {
    let server = PostgresServer::start();
    let limiter = || patient(RATES, &without_hurry(PostgresStore::builder(&server.url())).open().unwrap());
    admits(&limiter(), KEY);
    let log = PathBuf::from(server.ask("SHOW data_directory").text()).join("pg_wal");
    fs::set_permissions(&log, Permissions::from_mode(0o000)).unwrap();
    // Each has a session of its own, which opens the log anew; by chance another one writes for it.
    let error = (0..10).find_map(|_| limiter().try_acquire(KEY).err());
    fs::set_permissions(&log, Permissions::from_mode(0o700)).unwrap();
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
    assert!(error.message().contains("may or may not have been done"), "{error}");
    server.restart();
    recovers(&limiter(), KEY);
}

#[test]
fn promise_8_a_server_that_stands_still_is_an_error_in_time_and_what_it_admits_yet_is_given_back() {
    let server = PostgresServer::start();
    let store = store(&server);
    let (limiter, hasty) = (patient(RATES, &store), by_default(RATES, &store));
    let keys: Vec<String> = (0..8).map(|number| format!("user:{number}")).collect();
    for key in &keys {
        admits(&limiter, key);
    }
    server.stall();
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
    server.go_on();
    recovers(&limiter, "user:first");
    let used = |key: &String| limiter.peek(key).unwrap().usage[0].used;
    await_that("what was taken late is given back", || keys.iter().all(|key| used(key) == 1));
    for key in &keys {
        admits(&limiter, key);
    }
}

#[test]
fn promise_8_each_policy_rules_while_the_server_is_away_and_the_server_does_when_it_is_back() {
    let server = PostgresServer::start();
    let store = store(&server);
    let used = each_policy_rules_while_it_is_away(&store, || server.kill(), || server.restart());
    assert_eq!(used, 8, "it has forgotten nothing");
}
