//! A server that is to wait for a synchronous standby, which is not there.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use scupper::{Durability, Error, ErrorKind, Limiter, PostgresStore};
use scupper_testbed::{PostgresServer, await_that};
use support::postgres::{PATIENCE, admits, limiting, patient, refused, without_hurry};
use support::{HOUR, MILLISECOND, SECOND};

const KEY: &str = "user:42";

/// A server whose commits wait for nobody to come.
fn waiting() -> PostgresServer {
    let server = PostgresServer::start();
    PostgresStore::connect_blocking(&url(&server)).unwrap();
    server.ask("CREATE TABLE trial (number int)");
    server.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    server.ask("SELECT pg_reload_conf()");
    let session = server.session().unwrap();
    let id = session.ask("SELECT pg_backend_pid()").number();
    await_that("commits wait for the standby", || {
        let inserted = session.send("INSERT INTO trial VALUES (1)");
        loop {
            let state =
                server.ask(&format!("SELECT wait_event = 'SyncRep', state FROM pg_stat_activity WHERE pid = {id}"));
            match &state.0[0][..] {
                [Some(waits), _] if waits == "t" => {
                    server.ask(&format!("SELECT pg_cancel_backend({id})"));
                    return inserted.answer().is_ok();
                }
                [_, Some(state)] if state == "idle" => return inserted.answer().is_err(),
                _ => thread::yield_now(),
            }
        }
    });
    server
}

fn url(server: &PostgresServer) -> String {
    format!("{}?connect_timeout=10&application_name=limiter", server.url())
}

fn limiter(server: &PostgresServer) -> Limiter {
    patient("5/h", &without_hurry(PostgresStore::builder(&url(server))).open().unwrap())
}

/// Units in use, as the server has it. Looking waits for nobody.
fn used(server: &PostgresServer) -> u64 {
    limiter(server).peek(KEY).unwrap().usage[0].used
}

/// Does this to the one call that waits for the standby.
fn meanwhile(server: &PostgresServer, what: &str) {
    let waiting = "FROM pg_stat_activity WHERE application_name = 'limiter' AND wait_event = 'SyncRep'";
    await_that("a call waits", || server.ask(&format!("SELECT count(*) {waiting}")).number() == 1);
    server.ask(&format!("SELECT {what}(pid) {waiting}"));
}

fn is_unknown(error: &Error, words: &str) {
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
    assert!(error.message().contains(words), "{error}");
}

#[test]
fn promise_8_what_no_standby_has_is_unknown_where_somebody_ends_the_wait_for_it() {
    let server = waiting();
    let limiter = limiter(&server);
    let asks: [(&str, &(dyn Fn() -> Option<Error> + Sync)); 4] = [
        ("an acquire", &|| limiter.try_acquire(KEY).err()),
        ("a wait", &|| limiter.acquire(KEY).err()),
        ("a penalty", &|| limiter.penalize(KEY, 1).err()),
        ("a hold", &|| limiter.hold(KEY, HOUR).err()),
    ];
    for (number, (name, ask)) in (1..).zip(asks) {
        let error = thread::scope(|threads| {
            let asked: ScopedJoinHandle<'_, Option<Error>> = threads.spawn(ask);
            meanwhile(&server, "pg_cancel_backend");
            asked.join().unwrap().unwrap_or_else(|| panic!("{name} was answered as if the standby had it"))
        });
        is_unknown(&error, "synchronous standby");
        assert_eq!(used(&server), number.min(3), "it counts, once: {name}");
    }
    let connections =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'limiter' AND wait_event = 'SyncRep'";
    assert_eq!(server.ask(connections).number(), 0, "nothing was sent again");
    // What leaves no trace waits for nobody, and what was heard of one call is not told of another.
    assert!(!limiter.try_acquire(KEY).unwrap().is_admitted());
    server.ask("ALTER SYSTEM RESET synchronous_standby_names");
    server.ask("SELECT pg_reload_conf()");
    await_that("it waits no more", || limiter.try_acquire("another").is_ok());
    admits(&limiter, "another");
}

#[test]
fn promise_8_a_backend_that_is_ended_while_it_waits_for_a_standby_leaves_it_unknown() {
    let server = waiting();
    let limiter = limiter(&server);
    let error = thread::scope(|threads| {
        let asked = threads.spawn(|| refused(limiter.try_acquire(KEY)));
        meanwhile(&server, "pg_terminate_backend");
        asked.join().unwrap()
    });
    is_unknown(&error, "may or may not have been done");
    assert_eq!(used(&server), 1);
}

/// The server's own time limits are over before it waits.
#[test]
fn promise_8_nobody_waits_for_a_standby_longer_than_a_call_may_take() {
    let server = waiting();
    // Longer than it takes to be sent, by one that is connected anew as well.
    let store = without_hurry(PostgresStore::builder(&url(&server))).answer_within(3 * SECOND).open().unwrap();
    for (key, call_timeout) in [("another", PATIENCE), (KEY, 1500 * MILLISECOND)] {
        let limiter = limiting("5/h", &store).call_timeout(call_timeout).build().unwrap();
        let before = Instant::now();
        let error = refused(limiter.try_acquire(key));
        assert!(before.elapsed() < PATIENCE / 2, "{:?}", before.elapsed());
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
    }
    // Or connections would add up until the server had none left for anybody.
    await_that("the server waits no more, either, and each was done", || {
        let waits = server.ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        server.ask("SELECT count(*) FROM scupper.bucket").number() == 2 && waits.number() == 0
    });
    assert_eq!(server.ask("SELECT head[6] FROM scupper.bucket").column(), ["1", "1"], "once");
}

#[test]
fn relaxed_durability_waits_for_no_standby() {
    let server = waiting();
    let store = without_hurry(PostgresStore::builder(&url(&server))).durability(Durability::Relaxed).open().unwrap();
    let limiter = patient("5/h", &store);
    // A call that waited would end without an answer.
    admits(&limiter, KEY);
    limiter.penalize(KEY, 1).unwrap();
    assert_eq!(used(&server), 2);
}
