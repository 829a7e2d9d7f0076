//! The way to Postgres breaks, stalls or drags: what has left is never sent again, what has not left is not lost, nobody waits
//! longer than the call may take, and nobody is denied what fits.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use scupper::store::{Action, Admission, Operation, Reply, Verdict};
use scupper::{ErrorKind, Limiter};
use scupper_testbed::{Fault, await_that};
use support::postgres::{Bed, admits, limiting, patient, quota, recovers, refused, submit};
use support::{HOUR, MILLISECOND, SECOND};

const RATES: &str = "1000/h";

/// All keys begin so, and nothing else that is sent has it.
const ASKED: &str = "user:";
const KEY: &str = "user:42";

/// Far less than any limit of time, on a machine that has much else to do.
const SOON: Duration = Duration::from_millis(400);

#[test]
fn promise_2_a_connection_that_was_closed_while_idle_costs_no_request() {
    let bed = Bed::new();
    let limiter = bed.limiter("1000000/h");
    for count in 1..=100 {
        admits(&limiter, KEY);
        bed.proxy.close_connections();
        assert_eq!(bed.used(KEY, "1000000/h"), count);
    }
    assert_eq!(bed.proxy.connections(), 100);
}

#[test]
fn promise_8_what_the_server_never_sees_is_unknown_to_who_sent_it_and_is_not_sent_again() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    bed.proxy.set(Fault::cut_before_send().when_sent(ASKED).times(1));
    assert_eq!(refused(limiter.try_acquire(KEY)).kind(), ErrorKind::Unknown);
    assert_eq!((bed.proxy.strikes(), bed.used(KEY, RATES)), (1, 0));
    admits(&limiter, KEY);
    assert_eq!((bed.used(KEY, RATES), bed.proxy.connections()), (1, 2));
}

#[test]
fn promise_8_a_request_of_which_nothing_has_left_is_unavailable_and_the_next_one_is_served() {
    for fault in [Fault::cut_before_send, Fault::cut_after_send] {
        // First what opens a connection, then what makes it ready.
        for opening in ["client_encoding", "search_path"] {
            let bed = Bed::new();
            let limiter = bed.limiter(RATES);
            bed.proxy.set(fault().when_sent(opening).times(1));
            let error = refused(limiter.try_acquire(KEY));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert_eq!((bed.proxy.strikes(), bed.used(KEY, RATES)), (1, 0));
            let (took, _) = recovers(&limiter, KEY);
            assert!(took < SECOND, "{took:?}");
            assert_eq!((bed.used(KEY, RATES), bed.proxy.connections()), (1, 2));
        }
    }
}

#[test]
fn promise_8_what_was_carried_out_and_not_answered_counts_once() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    for cut in 0..20 {
        bed.proxy.set(Fault::cut_after_send().when_sent(ASKED).times(1));
        let error = refused(limiter.request(KEY).weight(3).try_acquire());
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
        assert_eq!((bed.proxy.strikes(), bed.used(KEY, RATES)), (1, cut * 4 + 3));
        admits(&limiter, KEY);
        assert_eq!(bed.used(KEY, RATES), cut * 4 + 4);
    }
}

#[test]
fn promise_8_an_answer_that_breaks_off_anywhere_leaves_the_request_unknown_and_counted_once() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    admits(&limiter, KEY);
    for bytes in 0..1000 {
        bed.proxy.set(Fault::cut_in_reply(bytes).when_sent(ASKED).times(1));
        let decision = limiter.try_acquire(KEY);
        assert_eq!(bed.used(KEY, RATES), u64::try_from(bytes).unwrap() + 2);
        if let Ok(decision) = decision {
            assert!(bytes > 20 && decision.is_admitted(), "{bytes}: {decision:?}");
            return;
        }
        assert_eq!(refused(decision).kind(), ErrorKind::Unknown);
        assert_eq!(bed.proxy.strikes(), 1);
    }
    panic!("no answer is so long");
}

#[test]
fn promise_8_all_who_went_out_together_are_unknown_and_each_counts_once() {
    let bed = Bed::new();
    let limiter = patient(RATES, &bed.wide_builder().open().unwrap());
    bed.proxy.set(Fault::cut_after_send().when_sent(ASKED));
    let keys: Vec<String> = (0..40).map(|number| format!("user:{number}")).collect();
    thread::scope(|threads| {
        for key in &keys {
            threads.spawn(|| assert_eq!(refused(limiter.try_acquire(key)).kind(), ErrorKind::Unknown));
        }
    });
    assert!(bed.proxy.connections() <= 40, "{}", bed.proxy.connections());
    bed.proxy.heal();
    for key in &keys {
        assert_eq!(bed.used(key, RATES), 1, "{key}");
        admits(&limiter, key);
    }
}

/// A store that has seen a bucket as a whole before, so that all is prepared; and what an acquire of five units came to.
fn warm(bed: &Bed) -> (scupper::PostgresStore, Admission) {
    let (store, quota) = (bed.store(), quota(RATES));
    submit(&store, &Operation::new("user:warm", Action::Penalize { quota: &quota, units: 1 })).unwrap();
    match submit(&store, &Operation::acquire(KEY, &quota, 5)).unwrap() {
        Reply::Acquired(Verdict::Admitted(admission)) => (store, admission),
        other => panic!("{other:?}"),
    }
}

#[test]
fn promise_8_what_breaks_off_before_it_is_written_down_is_undone() {
    let (bed, quota) = (Bed::new(), quota(RATES));
    let (mut store, admission) = warm(&bed);
    let actions = [
        Action::Penalize { quota: &quota, units: 7 },
        Action::Refund(Admission { weight: 2, ..admission }),
        Action::Reset,
        Action::Hold { quota: &quota, duration: HOUR },
    ];
    for action in actions {
        for fault in [Fault::cut_before_send, Fault::cut_after_send, || Fault::cut_in_reply(9)] {
            bed.proxy.set(fault().when_sent("BEGIN ").times(1));
            let error = submit(&store, &Operation::new(KEY, action)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{action:?}: {error}");
            assert_eq!((bed.proxy.strikes(), bed.used(KEY, RATES)), (1, 5), "{action:?}");
            bed.proxy.heal();
            store = bed.store();
            submit(&store, &Operation::new("user:warm", Action::Penalize { quota: &quota, units: 1 })).unwrap();
        }
    }
    let held = limiting(RATES, bed.direct()).build().unwrap().peek(KEY).unwrap();
    assert!(held.held_until.is_none());
}

#[test]
fn promise_8_what_breaks_off_while_it_is_written_down_is_unknown_and_carried_out_once_or_never() {
    let (bed, quota) = (Bed::new(), quota(RATES));
    let direct = limiting(RATES, bed.direct()).build().unwrap();
    for turn in 0..4 {
        for (fault, happens) in
            [(Fault::cut_before_send(), false), (Fault::cut_after_send(), true), (Fault::cut_in_reply(9), true)]
        {
            direct.reset(KEY).unwrap();
            let (store, admission) = warm(&bed);
            let (action, used) = [
                (Action::Penalize { quota: &quota, units: 7 }, 12),
                (Action::Refund(Admission { weight: 2, ..admission }), 3),
                (Action::Reset, 0),
                (Action::Hold { quota: &quota, duration: HOUR }, 5),
            ][turn];
            bed.proxy.set(fault.when_sent("COMMIT\0").times(1));
            let error = submit(&store, &Operation::new(KEY, action)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unknown, "{action:?}: {error}");
            let expected = if happens { used } else { 5 };
            assert_eq!((bed.proxy.strikes(), bed.used(KEY, RATES)), (1, expected), "{action:?}");
            let is_held = direct.peek(KEY).unwrap().held_until.is_some();
            assert_eq!(is_held, happens && turn == 3, "{action:?}");
        }
    }
}

#[test]
fn promise_8_a_look_whose_answer_is_lost_took_nothing() {
    let bed = Bed::new();
    let (store, _) = warm(&bed);
    let limiter = limiting(RATES, &store).build().unwrap();
    limiter.list("", None, 10).unwrap();
    for fault in [Fault::cut_before_send, Fault::cut_after_send, || Fault::cut_in_reply(5)] {
        for _ in 0..2 {
            bed.proxy.set(fault().when_sent("BEGIN ").times(1));
            let error = limiter.peek(KEY).unwrap_err();
            assert_eq!((error.kind(), bed.proxy.strikes()), (ErrorKind::Unavailable, 1), "{error}");
            // The prefix is sent, too.
            bed.proxy.set(fault().when_sent(ASKED).times(1));
            let error = limiter.list(ASKED, None, 10).unwrap_err();
            assert_eq!((error.kind(), bed.proxy.strikes()), (ErrorKind::Unavailable, 1), "{error}");
        }
    }
    assert_eq!(limiter.list(ASKED, None, 10).unwrap().keys.len(), 2);
}

/// What a request came to, and how long that took.
fn timed(limiter: &Limiter, key: &str) -> (ErrorKind, Duration) {
    let start = Instant::now();
    let error = refused(limiter.try_acquire(key));
    (error.kind(), start.elapsed())
}

#[test]
fn promises_5_and_8_a_stall_is_an_error_in_time_and_what_it_admits_yet_is_given_back() {
    let bed = Bed::new();
    let store = bed.store();
    let limiter = limiting(RATES, &store).build().unwrap();
    recovers(&limiter, "user:first");
    let first = bed.used("user:first", RATES);
    bed.proxy.set(Fault::stall().when_sent(ASKED));
    let within = |limit: Duration, took: Duration| (limit..limit + SOON).contains(&took);
    let behind = ["user:a", "user:b", "user:c"];
    thread::scope(|threads| {
        let sent = threads.spawn(|| timed(&limiter, "user:sent"));
        bed.proxy.await_strike();
        let behind = behind.map(|key| (key, threads.spawn(|| timed(&limiter, key))));
        for (key, asked) in behind {
            let (kind, took) = asked.join().unwrap();
            assert!(kind == ErrorKind::Unavailable && within(500 * MILLISECOND, took), "{kind} after {took:?}");
            assert_eq!(bed.used(key, RATES), 0);
        }
        let (kind, took) = sent.join().unwrap();
        assert!(kind == ErrorKind::Unknown && within(SECOND, took), "{kind} after {took:?}");
    });
    bed.proxy.heal();
    // Behind what was sent, on the same connection.
    admits(&patient(RATES, &store), "user:first");
    await_that("what was carried out is given back", || bed.used("user:sent", RATES) == 0);
    for key in behind {
        assert_eq!(bed.used(key, RATES), 0, "{key}");
    }
    assert_eq!((bed.used("user:first", RATES), bed.proxy.connections()), (first + 1, 1));
}

#[test]
fn promise_8_what_was_carried_out_during_a_stall_is_given_back_when_the_answer_comes() {
    let bed = Bed::new();
    let limiter = limiting(RATES, &bed.store()).call_timeout(100 * MILLISECOND).build().unwrap();
    recovers(&limiter, KEY);
    let before = bed.used(KEY, RATES);
    bed.proxy.set(Fault::stall_replies().when_sent(ASKED));
    assert_eq!(refused(limiter.request(KEY).weight(9).try_acquire()).kind(), ErrorKind::Unknown);
    await_that("it is carried out", || bed.used(KEY, RATES) == before + 9);
    bed.proxy.heal();
    await_that("it is given back", || bed.used(KEY, RATES) == before);
    recovers(&limiter, KEY);
    assert_eq!(bed.proxy.connections(), 1);
}

#[test]
fn promise_8_a_connection_that_does_not_answer_any_more_is_given_up_for_another() {
    for fault in [Fault::stall, Fault::stall_replies] {
        let bed = Bed::new();
        let store = bed.builder().answer_within(200 * MILLISECOND).open().unwrap();
        let limiter = limiting(RATES, &store).build().unwrap();
        recovers(&limiter, KEY);
        let connections = bed.proxy.connections();
        // One to go on with, and one to call off what was given up.
        let connected = |calls: u64| {
            await_that("there are two connections more", || bed.proxy.connections() >= connections + 2 * calls);
            assert_eq!(bed.proxy.connections(), connections + 2 * calls);
        };
        bed.proxy.set(fault().when_sent(ASKED).times(1));
        let (kind, took) = timed(&limiter, KEY);
        assert_eq!(kind, ErrorKind::Unknown);
        assert!((200 * MILLISECOND..200 * MILLISECOND + SOON).contains(&took), "{took:?}");
        let before = bed.used(KEY, RATES);
        recovers(&limiter, KEY);
        assert_eq!(bed.used(KEY, RATES), before + 1);
        connected(1);
        // What was held is judged by each new fault.
        bed.proxy.set(fault().when_sent("team:").times(1));
        assert_eq!(limiter.list("team:", None, 10).unwrap_err().kind(), ErrorKind::Unavailable);
        recovers(&limiter, KEY);
        connected(2);
    }
}

#[test]
fn promise_8_refused_connections_are_an_error_at_once_without_a_storm_and_recover_within_a_second() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    admits(&limiter, KEY);
    bed.proxy.set(Fault::refuse());
    let before = bed.proxy.connections();
    let start = Instant::now();
    thread::scope(|threads| {
        for number in 0..4 {
            let (limiter, key) = (&limiter, format!("user:{number}"));
            threads.spawn(move || {
                while start.elapsed() < 1500 * MILLISECOND {
                    let (kind, took) = timed(limiter, &key);
                    assert_eq!(kind, ErrorKind::Unavailable);
                    assert!(took < SOON, "{took:?}");
                }
            });
        }
    });
    // Pauses of 50, 100, 200, 400, 800 and 1,000 ms, or a half of that.
    let attempts = bed.proxy.connections() - before;
    assert!((3..=8).contains(&attempts), "{attempts}");
    bed.proxy.heal();
    let (took, _) = recovers(&limiter, KEY);
    assert!(took < SECOND + SOON, "{took:?}");
    assert_eq!((bed.used(KEY, RATES), bed.used("user:0", RATES)), (2, 0));
}

#[test]
fn promise_2_a_long_line_to_the_server_makes_requests_slow_and_nothing_else() {
    let bed = Bed::new();
    let limiter = bed.limiter("100/h");
    admits(&limiter, KEY);
    bed.proxy.set(Fault::delay(50 * MILLISECOND));
    let start = Instant::now();
    let admitted: usize = thread::scope(|threads| {
        let ask = || (0..10).filter(|_| limiter.try_acquire(KEY).unwrap().is_admitted()).count();
        let asking: Vec<_> = (0..12).map(|_| threads.spawn(ask)).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).sum()
    });
    assert_eq!((admitted, bed.used(KEY, "100/h")), (99, 100));
    assert!(start.elapsed() < 4 * SECOND, "calls are shared: {:?}", start.elapsed());
}

#[test]
fn promise_2_who_waits_is_served_over_another_connection_when_the_first_has_broken() {
    let bed = Bed::new();
    let limiter = bed.limiter("1/300ms");
    admits(&limiter, KEY);
    let answered = bed.proxy.bytes_received();
    thread::scope(|threads| {
        let waiting = threads.spawn(|| limiter.acquire(KEY).map(|permit| permit.sequence()));
        await_that("the one who waits was denied", || bed.proxy.bytes_received() > answered);
        bed.proxy.close_connections();
        assert_eq!(waiting.join().unwrap().unwrap(), 2);
    });
    assert_eq!(bed.proxy.connections(), 2);
}
