//! The server dies, comes back, stands still, ends a session, or has no room: what was asked is an error in time, never a denial,
//! never twice; and whoever asks again is served.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use scupper::{Algorithm, Cause, Decision, ErrorKind, Limiter, OutagePolicy, PostgresStore, Quota, Source};
use scupper_testbed::{Ends, PostgresServer, Session, await_that, free_port};
use support::postgres::{Bed, admits, limiting, patient, recovers, refused, with_schema, without_hurry};
use support::{MILLISECOND, SECOND};

const RATES: &str = "1000/h";
const KEY: &str = "user:42";

fn limiter(server: &PostgresServer) -> Limiter {
    limiting(RATES, &PostgresStore::open(&server.url()).unwrap()).build().unwrap()
}

#[test]
fn promise_2_a_restart_between_two_requests_costs_none_and_forgets_nothing() {
    let server = PostgresServer::start();
    let limiter = patient(RATES, &without_hurry(PostgresStore::builder(&server.url())).open().unwrap());
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
            assert!(start.elapsed() < SECOND / 2);
        }
        server.restart();
        let (took, _) = recovers(&limiter, KEY);
        assert!(took < 1500 * MILLISECOND, "{took:?}");
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
    let limiter = limiting(RATES, &PostgresStore::open(&url).unwrap()).build().unwrap();
    assert_eq!(refused(limiter.try_acquire(KEY)).kind(), ErrorKind::Unavailable);
}

#[test]
fn who_is_not_let_in_is_told_so_and_sees_no_password_in_it() {
    let server = PostgresServer::builder().allow("host all all 127.0.0.1/32 scram-sha-256").start();
    server.ask("CREATE ROLE guest LOGIN PASSWORD 'open sesame'; GRANT CREATE ON DATABASE scupper TO guest");
    let patient = |role: &str| format!("{}?connect_timeout=10", server.url_as(role));
    let good = patient("guest:open%20sesame");
    admits(&limiting(RATES, &PostgresStore::connect_blocking(&good).unwrap()).build().unwrap(), KEY);
    let absent = server.url_as("guest:open%20sesame").replace("/scupper", "/nowhere");
    for url in [server.url_as("guest:abracadabra"), server.url_as("guest"), server.url_as("nobody:abracadabra"), absent]
    {
        let error = PostgresStore::connect_blocking(&url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("abracadabra") && !shown.contains("sesame"), "{shown}");
    }
}

#[test]
fn promise_8_requests_under_way_when_the_server_dies_are_errors_and_none_is_sent_twice() {
    let server = PostgresServer::start();
    let limiter = limiting("1000000/h", &PostgresStore::open(&server.url()).unwrap()).build().unwrap();
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

#[test]
fn promise_8_a_server_that_stands_still_is_an_error_in_time_and_what_it_admits_yet_is_given_back() {
    let server = PostgresServer::start();
    let limiter = limiter(&server);
    let keys: Vec<String> = (0..8).map(|number| format!("user:{number}")).collect();
    for key in &keys {
        admits(&limiter, key);
    }
    server.stall();
    thread::scope(|threads| {
        for key in &keys {
            threads.spawn(|| {
                let start = Instant::now();
                let error = refused(limiter.request(key).weight(10).try_acquire());
                assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Unavailable), "{error}");
                assert!(start.elapsed() < 1500 * MILLISECOND, "{:?}", start.elapsed());
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
    let store = bed.wide_builder().lock_within(5 * SECOND).open().unwrap();
    let limiter = limiting(RATES, &store).build().unwrap();
    admits(&limiter, KEY);
    let held = hold(&server, &bed);
    let mut id = 0;
    thread::scope(|threads| {
        let stalled = threads.spawn(|| refused(limiter.request(KEY).weight(10).try_acquire()).kind());
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
    let store = bed.wide_builder().lock_within(200 * MILLISECOND).open().unwrap();
    let limiter = limiting(RATES, &store).build().unwrap();
    admits(&limiter, KEY);
    let held = hold(&server, &bed);
    for _ in 0..3 {
        let start = Instant::now();
        let error = refused(limiter.try_acquire(KEY));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("nothing was taken"), "{error}");
        assert!((200 * MILLISECOND..SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!(limiter.peek(KEY).unwrap_err().kind(), ErrorKind::Unavailable);
        admits(&limiter, "user:other");
    }
    // Those who went out together with it are served.
    let keys = [KEY, "user:a", "user:b", "user:c"];
    let quota = support::postgres::quota(RATES);
    let operations = keys.map(|key| scupper::store::Operation::acquire(key, &quota, 1));
    let outcomes = scupper::store::Store::submit(&store, scupper::store::Batch::new(&operations)).wait();
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
    let store = bed.builder().lock_within(10 * SECOND).answer_within(500 * MILLISECOND).open().unwrap();
    let limiter = limiting(RATES, &store).build().unwrap();
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
    let store = bed.builder().lock_within(3 * SECOND).wait_to_be_sent(200 * MILLISECOND).open().unwrap();
    let limiter = limiting(RATES, &store).build().unwrap();
    admits(&limiter, KEY);
    let held = hold(&server, &bed);
    thread::scope(|threads| {
        let waiting = threads.spawn(|| refused(limiter.try_acquire(KEY)).kind());
        await_waiting(&bed);
        for _ in 0..3 {
            let start = Instant::now();
            let error = refused(limiter.try_acquire("user:other"));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!((200 * MILLISECOND..800 * MILLISECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
        }
        assert_eq!(waiting.join().unwrap(), ErrorKind::Unknown);
    });
    drop(held);
    admits(&limiter, KEY);
    await_that("what was admitted late is given back", || bed.used(KEY, RATES) == 2);
    assert_eq!((bed.used("user:other", RATES), bed.proxy.connections()), (0, 1));
}

#[test]
fn promise_8_a_server_with_as_many_connections_as_it_may_have_is_unavailable() {
    let server =
        PostgresServer::builder().line("max_connections = 8").line("superuser_reserved_connections = 3").start();
    let limiter = limiter(&server);
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

#[test]
fn promise_8_each_policy_rules_while_the_server_is_away_and_the_server_does_when_it_is_back() {
    let server = PostgresServer::start();
    let store = PostgresStore::open(&server.url()).unwrap();
    let local = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
    let policies =
        [OutagePolicy::Error, OutagePolicy::FailOpen, OutagePolicy::FailClosed, OutagePolicy::Fallback(local)];
    let limiters = policies.map(|policy| limiting(RATES, &store).on_outage(policy).build().unwrap());
    for limiter in &limiters {
        admits(limiter, KEY);
    }
    server.kill();
    let [error, open, closed, fallback] = &limiters;
    for turn in 0..3 {
        assert_eq!(refused(error.try_acquire(KEY)).kind(), ErrorKind::Unavailable);
        assert_eq!(open.try_acquire(KEY).unwrap().source(), Source::FailOpen);
        let outage = closed.try_acquire(KEY).unwrap();
        assert!(matches!(&outage, Decision::Denied(denied) if denied.cause() == Cause::Outage), "{outage:?}");
        let decision = fallback.try_acquire(KEY).unwrap();
        assert_eq!((decision.source(), decision.is_admitted()), (Source::Fallback, turn == 0));
    }
    server.restart();
    for limiter in &limiters {
        await_that("the server decides again", || {
            limiter.try_acquire(KEY).is_ok_and(|decision| decision.source() == Source::Store)
        });
    }
    assert_eq!(error.peek(KEY).unwrap().usage[0].used, 8);
}

#[test]
fn what_is_strict_is_on_the_disk_before_it_is_answered_and_what_is_relaxed_need_not_be() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    server.ask("ALTER ROLE scupper SET synchronous_commit = local");
    // The function that decides asks for the time.
    bed.ask(
        "CREATE TABLE {s}.seen (setting text); GRANT ALL ON {s}.seen TO scupper; \
         CREATE OR REPLACE FUNCTION {s}.clock() RETURNS bigint LANGUAGE sql VOLATILE AS $$ \
         INSERT INTO {s}.seen VALUES (current_setting('synchronous_commit')); SELECT 1000000000000000 $$",
    );
    let seen = |url: &str| -> Vec<String> {
        // Of those who asked before, nobody comes any more.
        await_that("the last sessions have ended", || bed.sessions() == 0);
        bed.ask("TRUNCATE {s}.seen");
        let limiter = limiting(RATES, &PostgresStore::open(url).unwrap()).build().unwrap();
        admits(&limiter, KEY);
        limiter.penalize(KEY, 1).unwrap();
        drop(limiter);
        bed.ask("SELECT DISTINCT setting FROM {s}.seen").column()
    };
    assert_eq!(seen(bed.url()), ["on"]);
    assert_eq!(seen(&format!("{}&durability=strict", bed.url())), ["on"]);
    assert_eq!(seen(&format!("{}&durability=relaxed", bed.url())), ["off"]);
    // Nothing weaker than what somebody wants for the whole server.
    server.ask("ALTER ROLE scupper SET synchronous_commit = remote_apply");
    assert_eq!(seen(bed.url()), ["remote_apply"]);
}
