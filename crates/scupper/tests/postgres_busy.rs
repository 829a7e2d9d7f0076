//! A bucket that somebody else has on the server is waited for, and no other is meanwhile.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::thread;

use scupper::store::{Action, Batch, Operation, Outcome, Reply, Store, Submission, Verdict};
use scupper::{ErrorKind, PostgresStore, Quota};
use scupper_testbed::{Fault, Session, SharedPostgres, await_that};
use support::MILLISECOND;
use support::postgres::{Bed, quota, submit, used, without_hurry};

const RATES: &str = "1000/h";
const KEY: &str = "user:42";
const OTHERS: [&str; 5] = ["user:a", "user:b", "user:c", "user:d", "user:e"];

fn is_admitted(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Reply::Acquired(Verdict::Admitted(_))))
}

/// A transaction that has these buckets for as long as it likes.
fn hold_all(bed: &Bed, quota: &Quota, keys: &[&str]) -> Session {
    for key in keys {
        assert!(is_admitted(&submit(bed.direct(), &Operation::acquire(key, quota, 1))));
    }
    let session = SharedPostgres::get().session();
    session.ask("BEGIN");
    let lock = "SELECT pg_advisory_xact_lock({s}.lock_of(id)) FROM {s}.bucket";
    assert_eq!(session.ask(&bed.within(lock)).0.len(), keys.len());
    session
}

fn hold(bed: &Bed, quota: &Quota) -> Session {
    hold_all(bed, quota, &[KEY])
}

/// How many connections of the store wait for a bucket.
fn waiting(bed: &Bed) -> i64 {
    bed.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{s}' AND wait_event = 'advisory'").number()
}

fn await_waiting(bed: &Bed, connections: i64) {
    await_that("the bucket is waited for", || waiting(bed) == connections);
}

fn wide(bed: &Bed) -> PostgresStore {
    without_hurry(bed.wide_builder()).connect_blocking().unwrap()
}

/// One that makes no other call while one is under way: behind a first request, all others of a batch go out in one.
fn narrow(bed: &Bed) -> PostgresStore {
    without_hurry(bed.builder()).connect_blocking().unwrap()
}

fn send(store: &PostgresStore, operation: &Operation<'_>, times: usize) -> Vec<Submission> {
    (0..times).map(|_| store.submit(Batch::from(operation))).collect()
}

#[test]
fn a_bucket_that_somebody_else_has_holds_up_none_that_went_out_together_with_it() {
    let bed = Bed::new();
    let (store, quota) = (narrow(&bed), quota(RATES));
    let held = hold(&bed, &quota);
    let keys = || OTHERS.into_iter().chain([KEY]);
    thread::scope(|threads| {
        let all = threads.spawn(|| {
            let operations: Vec<_> = keys().map(|key| Operation::acquire(key, &quota, 1)).collect();
            store.submit(Batch::new(&operations)).wait()
        });
        await_waiting(&bed, 1);
        for key in OTHERS {
            await_that("the others are decided", || bed.rows(key) == 1);
            assert!(is_admitted(&submit(bed.direct(), &Operation::acquire(key, &quota, 1))), "{key}");
        }
        held.ask("COMMIT");
        assert!(all.join().unwrap().iter().all(is_admitted));
        assert!(keys().all(|key| bed.used(key, RATES) == 2));
    });
}

#[test]
fn who_waits_for_one_bucket_leaves_connections_to_all_others() {
    let bed = Bed::new();
    let (store, quota) = (wide(&bed), quota(RATES));
    let held = hold(&bed, &quota);
    let one = Operation::acquire(KEY, &quota, 1);
    let mut sent = send(&store, &one, 20);
    await_waiting(&bed, 2);
    for key in OTHERS {
        // Also with others that wait.
        let pair = [one, Operation::acquire(key, &quota, 1)];
        sent.push(store.submit(Batch::new(&pair)));
        assert!(is_admitted(&submit(&store, &Operation::acquire(key, &quota, 1))));
    }
    assert_eq!(waiting(&bed), 2);
    held.ask("COMMIT");
    let outcomes: Vec<Outcome> = sent.into_iter().flat_map(Submission::wait).collect();
    assert!(outcomes.iter().all(is_admitted), "{outcomes:?}");
    assert_eq!(bed.used(KEY, RATES), 26);
    assert!(OTHERS.into_iter().all(|key| bed.used(key, RATES) == 2));
}

#[test]
fn promise_8_who_waits_too_long_behind_others_on_a_bucket_is_told_so_and_took_nothing() {
    let bed = Bed::new();
    let (store, quota) = (without_hurry(bed.wide_builder()).wait_to_be_sent(400 * MILLISECOND), quota(RATES));
    let store = store.connect_blocking().unwrap();
    let held = hold(&bed, &quota);
    let one = Operation::acquire(KEY, &quota, 1);
    let mut first = send(&store, &one, 1);
    await_waiting(&bed, 1);
    first.extend(send(&store, &one, 1));
    await_waiting(&bed, 2);
    for outcome in send(&store, &one, 10).into_iter().flat_map(Submission::wait) {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("was not sent"), "{error}");
    }
    held.ask("COMMIT");
    assert!(first.into_iter().flat_map(Submission::wait).all(|outcome| is_admitted(&outcome)));
    assert_eq!(bed.used(KEY, RATES), 3);
}

#[test]
fn a_look_waits_for_nobody_and_penalties_and_the_like_leave_connections_to_others() {
    let bed = Bed::new();
    let (store, quota) = (wide(&bed), quota(RATES));
    let held = hold(&bed, &quota);
    let penalty = Action::Penalize { quota: &quota, units: 1 };
    let sent = send(&store, &Operation::new(KEY, penalty), 20);
    await_waiting(&bed, 2);
    for key in OTHERS {
        submit(&store, &Operation::new(key, penalty)).unwrap();
        assert_eq!(used(&store, key, RATES), 1);
    }
    assert_eq!((used(&store, KEY, RATES), waiting(&bed)), (1, 2));
    held.ask("COMMIT");
    for outcome in sent.into_iter().flat_map(Submission::wait) {
        outcome.unwrap();
    }
    assert_eq!(used(&store, KEY, RATES), 21);
}

/// Of what one asks for in order, nothing overtakes what came before it on the same bucket.
#[test]
fn operations_on_a_bucket_stay_in_their_order_where_it_is_waited_for() {
    let bed = Bed::new();
    let (store, quota) = (narrow(&bed), quota("5/h"));
    let held = hold(&bed, &quota);
    let operations = [
        Operation::acquire("user:first", &quota, 1),
        Operation::acquire(KEY, &quota, 3),
        Operation::acquire("user:a", &quota, 5),
        Operation::acquire(KEY, &quota, 2),
        Operation::acquire(KEY, &quota, 1),
        Operation::acquire("user:a", &quota, 1),
    ];
    thread::scope(|threads| {
        let all = threads.spawn(|| store.submit(Batch::new(&operations)).wait());
        await_waiting(&bed, 1);
        held.ask("COMMIT");
        let admitted: Vec<bool> = all.join().unwrap().iter().map(is_admitted).collect();
        assert_eq!(admitted, [true, true, true, false, true, false]);
    });
    let penalty = Operation::new(KEY, Action::Penalize { quota: &quota, units: 1 });
    submit(&store, &penalty).unwrap();
    assert_eq!(bed.used(KEY, "5/h"), 6);
}

/// Each is turned away as soon as the one before it is, as a server that has gone is not asked again at once.
#[test]
fn promise_8_however_many_wait_for_a_bucket_they_all_hear_that_the_server_has_gone() {
    let quota = quota(RATES);
    let penalty = Action::Penalize { quota: &quota, units: 1 };
    for operation in [Operation::new(KEY, penalty), Operation::acquire(KEY, &quota, 1)] {
        let bed = Bed::new();
        let store = without_hurry(bed.wide_builder()).operations_a_call(1).connect_blocking().unwrap();
        let held = hold(&bed, &quota);
        let sent = send(&store, &operation, 20_000);
        await_waiting(&bed, 2);
        bed.proxy.set(Fault::refuse());
        bed.proxy.close_connections();
        for outcome in sent.into_iter().flat_map(Submission::wait) {
            let kind = outcome.unwrap_err().kind();
            assert!([ErrorKind::Unknown, ErrorKind::Unavailable].contains(&kind), "{kind:?}");
        }
        held.ask("COMMIT");
    }
}

#[test]
fn whoever_waits_for_many_buckets_leaves_half_of_the_connections_to_all_others() {
    let bed = Bed::new();
    let (store, quota) = (wide(&bed), quota(RATES));
    let held = hold_all(&bed, &quota, &OTHERS);
    let mut sent = Vec::new();
    for (key, waiting) in OTHERS.into_iter().zip([1, 2, 3, 4, 4]) {
        sent.extend(send(&store, &Operation::acquire(key, &quota, 1), 1));
        await_waiting(&bed, waiting);
    }
    // Also those who come in turn for one that nobody has.
    let others = send(&store, &Operation::acquire(KEY, &quota, 1), 50);
    assert!(others.into_iter().flat_map(Submission::wait).all(|outcome| is_admitted(&outcome)));
    assert_eq!(waiting(&bed), 4);
    held.ask("COMMIT");
    assert!(sent.into_iter().flat_map(Submission::wait).all(|outcome| is_admitted(&outcome)));
    assert!(OTHERS.into_iter().all(|key| bed.used(key, RATES) == 2));
}

#[test]
fn penalties_and_the_like_wait_for_as_many_buckets_as_there_are_connections_and_leave_some_to_all_others() {
    let keys = ["user:1", "user:2", "user:3", "user:4", "user:5", "user:6", "user:7", "user:8"];
    let bed = Bed::new();
    let (store, quota) = (wide(&bed), quota(RATES));
    let held = hold_all(&bed, &quota, &keys);
    let penalty = |key| Operation::new(key, Action::Penalize { quota: &quota, units: 1 });
    let mut sent: Vec<Submission> = keys.iter().flat_map(|key| send(&store, &penalty(key), 1)).collect();
    for key in OTHERS {
        assert!(is_admitted(&submit(&store, &Operation::acquire(key, &quota, 1))));
        submit(&store, &penalty(key)).unwrap();
    }
    await_waiting(&bed, 2);
    // Beside those who acquire, and wait with half of the connections.
    sent.extend(keys.iter().flat_map(|key| send(&store, &Operation::acquire(key, &quota, 1), 1)));
    await_waiting(&bed, 6);
    for key in OTHERS {
        assert!(is_admitted(&submit(&store, &Operation::acquire(key, &quota, 1))));
        submit(&store, &Operation::new(key, Action::Reset)).unwrap();
        submit(&store, &penalty(key)).unwrap();
    }
    assert_eq!(waiting(&bed), 6);
    held.ask("COMMIT");
    for outcome in sent.into_iter().flat_map(Submission::wait) {
        outcome.unwrap();
    }
    assert_eq!(keys.map(|key| bed.used(key, RATES)), [3; 8]);
    assert_eq!(OTHERS.map(|key| bed.used(key, RATES)), [1; 5]);
}
