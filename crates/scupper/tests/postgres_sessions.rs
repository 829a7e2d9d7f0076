//! The server ends or holds up a session, or has no room for another: what was asked on it is an error in time, never a denial,
//! never twice; and others are served meanwhile.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::thread;
use std::time::Instant;

use scupper::store::{Batch, Operation, Store};
use scupper::{ErrorKind, PostgresStore};
use scupper_testbed::{PostgresServer, Session, await_that};
use support::postgres::{
    AT_ONCE, Bed, admits, by_default, patient, quota, recovers, refused, with_schema, without_hurry,
};
use support::{MILLISECOND, SECOND};

const RATES: &str = "1000/h";
const KEY: &str = "user:42";

/// The number of the process that serves the only connection of a store.
fn backend(bed: &Bed) -> i64 {
    bed.ask("SELECT pid FROM pg_stat_activity WHERE application_name = '{s}'").number()
}

/// A transaction that has the bucket of [`KEY`], as another client of the same schema would have it for long.
fn hold(server: &PostgresServer, bed: &Bed) -> Session {
    let session = server.session().unwrap();
    session.ask("BEGIN");
    let lock = "SELECT pg_advisory_xact_lock({s}.lock_of(id)) FROM {s}.bucket WHERE key = 'user:42'";
    assert_eq!(session.ask(&bed.within(lock)).0.len(), 1);
    session
}

/// The number of the process that waits for a bucket.
fn waiting(bed: &Bed) -> i64 {
    bed.ask("SELECT pid FROM pg_stat_activity WHERE application_name = '{s}' AND wait_event = 'advisory'").number()
}

fn await_waiting(bed: &Bed) {
    await_that("it waits for the bucket", || {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{s}' AND wait_event = 'advisory'";
        bed.ask(waiting).number() == 1
    });
}

#[test]
fn promise_8_one_session_that_stands_still_keeps_nobody_else_from_the_server() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    let store = without_hurry(bed.wide_builder()).open().unwrap();
    let (limiter, hasty) = (patient(RATES, &store), by_default(RATES, &store));
    admits(&limiter, KEY);
    let held = hold(&server, &bed);
    let mut id = 0;
    thread::scope(|threads| {
        let stalled = threads.spawn(|| refused(hasty.request(KEY).weight(10).try_acquire()).kind());
        await_waiting(&bed);
        id = waiting(&bed);
        server.stall_backend(id);
        for number in 0..20 {
            admits(&limiter, &format!("user:{number}"));
        }
        assert_eq!(stalled.join().unwrap(), ErrorKind::Unknown);
    });
    drop(held);
    server.go_on_backend(id);
    await_that("what it took late, if anything, is given back", || {
        limiter.try_acquire("user:last").is_ok() && bed.used(KEY, RATES) == 1
    });
}

#[test]
fn promise_8_a_session_that_is_ended_in_mid_call_is_an_error_and_the_next_one_serves() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    let limiter = bed.limiter(RATES);
    for turn in 0..3 {
        admits(&limiter, KEY);
        let held = hold(&server, &bed);
        thread::scope(|threads| {
            let ended = threads.spawn(|| refused(limiter.request(KEY).weight(10).try_acquire()));
            await_waiting(&bed);
            bed.ask(&format!("SELECT pg_terminate_backend({})", backend(&bed)));
            let error = ended.join().unwrap();
            assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Unavailable), "{error}");
        });
        drop(held);
        assert_eq!(bed.used(KEY, RATES), turn + 1);
    }
    admits(&limiter, KEY);
}

#[test]
fn promise_8_a_call_that_is_called_off_took_nothing() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    let limiter = bed.limiter(RATES);
    admits(&limiter, KEY);
    let held = hold(&server, &bed);
    thread::scope(|threads| {
        let called_off = threads.spawn(|| refused(limiter.request(KEY).weight(10).try_acquire()));
        await_waiting(&bed);
        bed.ask(&format!("SELECT pg_cancel_backend({})", backend(&bed)));
        let error = called_off.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    });
    drop(held);
    admits(&limiter, KEY);
    assert_eq!(bed.used(KEY, RATES), 2);
}

#[test]
fn promise_8_a_session_that_is_killed_in_mid_call_is_unknown_and_the_server_serves_when_it_has_recovered() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    let limiter = bed.limiter(RATES);
    admits(&limiter, KEY);
    let _held = hold(&server, &bed);
    thread::scope(|threads| {
        let killed = threads.spawn(|| refused(limiter.request(KEY).weight(10).try_acquire()));
        await_waiting(&bed);
        server.kill_backend(backend(&bed));
        let error = killed.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
    });
    recovers(&limiter, KEY);
    assert_eq!(limiter.peek(KEY).unwrap().usage[0].used, 2);
}

#[test]
fn promise_2_sessions_that_the_server_ended_while_they_were_idle_cost_no_request() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    // Not through the proxy, which would take a moment to pass on that a session has ended.
    let store = without_hurry(PostgresStore::builder(&with_schema(&server.url(), &bed.schema))).open().unwrap();
    let limiter = patient(RATES, &store);
    for turn in 0..30 {
        admits(&limiter, KEY);
        bed.ask("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = '{s}'");
        assert_eq!(bed.used(KEY, RATES), turn + 1);
    }
}

#[test]
fn promise_8_a_bucket_that_another_transaction_has_for_long_is_unavailable_and_others_are_not_held_up() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    let store = without_hurry(bed.wide_builder()).lock_within(200 * MILLISECOND).open().unwrap();
    let limiter = patient(RATES, &store);
    admits(&limiter, KEY);
    let held = hold(&server, &bed);
    for _ in 0..3 {
        let start = Instant::now();
        let error = refused(limiter.try_acquire(KEY));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("nothing was taken; another transaction has had the bucket"), "{error}");
        assert!(error.message().contains("lock_within"), "{error}");
        assert!((200 * MILLISECOND..AT_ONCE).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!(limiter.penalize(KEY, 1).unwrap_err().kind(), ErrorKind::Unavailable);
        // A look waits for nobody.
        assert_eq!(limiter.peek(KEY).unwrap().usage[0].used, 1);
        admits(&limiter, "user:other");
    }
    // Nor is the bucket of that key in another schema.
    admits(&Bed::before(&server).limiter(RATES), KEY);
    // Those who went out together with it are served.
    let keys = [KEY, "user:a", "user:b", "user:c"];
    let quota = quota(RATES);
    let operations = keys.map(|key| Operation::acquire(key, &quota, 1));
    let outcomes = store.submit(Batch::new(&operations)).wait();
    assert_eq!([0, 1, 2, 3].map(|at: usize| outcomes[at].is_ok()), [false, true, true, true]);
    drop(held);
    admits(&limiter, KEY);
    let used = keys.map(|key| bed.used(key, RATES));
    assert_eq!((used, bed.used("user:other", RATES)), ([2, 1, 1, 1], 3));
}

#[test]
fn promise_8_a_call_that_takes_too_long_is_ended_by_the_server_and_took_nothing() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    // The server ends it a fifth of that before the store gives it up.
    let store = without_hurry(bed.builder()).answer_within(3 * SECOND).open().unwrap();
    let limiter = patient(RATES, &store);
    admits(&limiter, KEY);
    let held = hold(&server, &bed);
    let error = refused(limiter.try_acquire(KEY));
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("57014") && error.message().contains("nothing was taken"), "{error}");
    drop(held);
    admits(&limiter, KEY);
    assert_eq!(bed.used(KEY, RATES), 2);
}

#[test]
fn promise_8_when_all_connections_are_in_use_requests_are_errors_in_time_and_were_not_sent() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    let store = without_hurry(bed.builder()).wait_to_be_sent(200 * MILLISECOND).open().unwrap();
    let (limiter, hasty) = (patient(RATES, &store), by_default(RATES, &store));
    await_that("the store is connected", || limiter.peek(KEY).is_ok());
    admits(&limiter, KEY);
    let held = hold(&server, &bed);
    thread::scope(|threads| {
        let waiting = threads.spawn(|| refused(hasty.try_acquire(KEY)).kind());
        await_waiting(&bed);
        for _ in 0..3 {
            let start = Instant::now();
            let error = refused(limiter.try_acquire("user:other"));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!((200 * MILLISECOND..AT_ONCE).contains(&start.elapsed()), "{:?}", start.elapsed());
        }
        assert_eq!(waiting.join().unwrap(), ErrorKind::Unknown);
    });
    drop(held);
    await_that("it is admitted", || limiter.try_acquire(KEY).is_ok());
    await_that("what was admitted late is given back", || bed.used(KEY, RATES) == 2);
    assert_eq!((bed.used("user:other", RATES), bed.proxy.connections()), (0, 1));
}

#[test]
fn promise_8_a_server_with_as_many_connections_as_it_may_have_is_unavailable() {
    let server =
        PostgresServer::builder().line("max_connections = 8").line("superuser_reserved_connections = 3").start();
    let limiter = patient(RATES, &without_hurry(PostgresStore::builder(&server.url())).open().unwrap());
    let connect = || Session::connect(&server.url());
    let mut others = Vec::new();
    while let Ok(other) = connect() {
        others.push(other);
    }
    let error = refused(limiter.try_acquire(KEY));
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("53300"), "{error}");
    others.clear();
    recovers(&limiter, KEY);
    // With room for fewer connections than the store would have, it makes do.
    await_that("others have come back", || {
        others.extend(connect().ok());
        others.len() == 3
    });
    thread::scope(|threads| {
        for number in 0..16 {
            let limiter = &limiter;
            threads.spawn(move || {
                let key = format!("user:{number}");
                await_that("it is admitted", || limiter.try_acquire(&key).is_ok_and(|decision| decision.is_admitted()));
            });
        }
    });
}
