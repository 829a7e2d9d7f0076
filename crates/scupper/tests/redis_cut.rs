//! The way to Redis breaks, stalls or drags: what has left is never sent again, what has not left is not lost, nobody waits
//! longer than the call may take, and nobody is denied what fits.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use scupper::store::{Action, Operation, Reply, Verdict};
use scupper::{ErrorKind, Limiter};
use scupper_testbed::{Fault, await_that};
use support::redis::{Bed, admits, limiting, quota, recovers, refused, submit};
use support::{MILLISECOND, SECOND};

const RATES: &str = "1000/h";

/// Far less than any limit of time, on a machine that has much else to do.
const SOON: Duration = Duration::from_millis(400);

#[test]
fn promise_2_a_connection_that_was_closed_while_idle_costs_no_request() {
    let bed = Bed::new();
    let limiter = bed.limiter("1000000/h");
    for count in 1..=300 {
        admits(&limiter, "key");
        bed.proxy.close_connections();
        assert_eq!(bed.used("key", "1000000/h"), count);
    }
    assert_eq!(bed.proxy.connections(), 300);
}

#[test]
fn promise_8_what_the_server_never_sees_is_unknown_to_who_sent_it_and_is_not_sent_again() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    bed.proxy.set(Fault::cut_before_send().when_sent("EVALSHA").times(1));
    assert_eq!(refused(limiter.try_acquire("key")).kind(), ErrorKind::Unknown);
    assert_eq!((bed.proxy.strikes(), bed.used("key", RATES)), (1, 0));
    admits(&limiter, "key");
    assert_eq!((bed.used("key", RATES), bed.proxy.connections()), (1, 2));
}

#[test]
fn promise_8_a_request_of_which_nothing_has_left_is_unavailable_and_the_next_one_is_served() {
    for fault in [Fault::cut_before_send, Fault::cut_after_send] {
        let bed = Bed::new();
        let limiter = bed.limiter(RATES);
        bed.proxy.set(fault().when_sent("PING").times(1));
        let error = refused(limiter.try_acquire("key"));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(bed.used("key", RATES), 0);
        let (took, _) = recovers(&limiter, "key");
        assert!(took < SOON, "{took:?}");
        assert_eq!((bed.used("key", RATES), bed.proxy.connections()), (1, 2));
    }
}

#[test]
fn promise_8_what_was_carried_out_and_not_answered_counts_once() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    for cut in 0..20 {
        bed.proxy.set(Fault::cut_after_send().when_sent("EVALSHA").times(1));
        let error = refused(limiter.request("key").weight(3).try_acquire());
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
        assert_eq!((bed.proxy.strikes(), bed.used("key", RATES)), (1, cut * 4 + 3));
        admits(&limiter, "key");
        assert_eq!(bed.used("key", RATES), cut * 4 + 4);
    }
}

#[test]
fn promise_8_every_operation_whose_answer_is_lost_is_carried_out_once() {
    let bed = Bed::new();
    let (store, quota) = (bed.store(), quota(RATES));
    let admission = match submit(bed.direct(), &Operation::acquire("refund", &quota, 5)).unwrap() {
        Reply::Acquired(Verdict::Admitted(admission)) => admission,
        other => panic!("{other:?}"),
    };
    submit(bed.direct(), &Operation::acquire("reset", &quota, 5)).unwrap();
    let half = scupper::store::Admission { weight: 2, ..admission };
    for (key, action, used) in [
        ("penalize", Action::Penalize { quota: &quota, units: 7 }, 7),
        ("refund", Action::Refund(half), 3),
        ("reset", Action::Reset, 0),
        ("hold", Action::Hold { quota: &quota, duration: SECOND * 60 }, 0),
    ] {
        bed.proxy.set(Fault::cut_after_send().when_sent("EVALSHA").times(1));
        let error = submit(&store, &Operation::new(key, action)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{key}: {error}");
        assert_eq!((bed.proxy.strikes(), bed.used(key, RATES)), (1, used), "{key}");
    }
    let held = limiting(RATES, bed.direct()).build().unwrap().peek("hold").unwrap();
    assert!(held.held_until.is_some());
}

#[test]
fn promise_8_a_look_whose_answer_is_lost_took_nothing() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    for fault in [Fault::cut_before_send, Fault::cut_after_send, || Fault::cut_in_reply(5)] {
        bed.proxy.set(fault().when_sent("EVALSHA").times(1));
        let error = limiter.peek("key").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        bed.proxy.set(fault().when_sent("SCAN").times(1));
        let error = limiter.list("", None, 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    assert!(limiter.list("", None, 10).unwrap().keys.is_empty());
}

#[test]
fn promise_8_an_answer_that_breaks_off_anywhere_leaves_the_request_unknown_and_counted_once() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    admits(&limiter, "key");
    for bytes in 0..1000 {
        bed.proxy.set(Fault::cut_in_reply(bytes).when_sent("EVALSHA").times(1));
        let decision = limiter.try_acquire("key");
        assert_eq!(bed.used("key", RATES), u64::try_from(bytes).unwrap() + 2);
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
    let limiter = bed.limiter(RATES);
    bed.proxy.set(Fault::cut_after_send().when_sent("EVALSHA"));
    let keys: Vec<String> = (0..40).map(|number| format!("key-{number}")).collect();
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

/// What a request came to, and how long that took.
fn timed(limiter: &Limiter, key: &str) -> (ErrorKind, Duration) {
    let start = Instant::now();
    let error = refused(limiter.try_acquire(key));
    (error.kind(), start.elapsed())
}

#[test]
fn promises_5_and_8_a_stall_is_an_error_in_time_and_what_it_admits_yet_is_given_back() {
    let bed = Bed::new();
    let limiter = limiting(RATES, &bed.builder().calls_at_once(1).open().unwrap()).build().unwrap();
    admits(&limiter, "first");
    bed.proxy.set(Fault::stall().when_sent("EVALSHA"));
    let within = |limit: Duration, took: Duration| (limit..limit + SOON).contains(&took);
    thread::scope(|threads| {
        let sent = threads.spawn(|| timed(&limiter, "sent"));
        bed.proxy.await_strike();
        let behind = ["a", "b", "c"].map(|key| (key, threads.spawn(|| timed(&limiter, key))));
        for (key, asked) in behind {
            let (kind, took) = asked.join().unwrap();
            assert!(kind == ErrorKind::Unavailable && within(500 * MILLISECOND, took), "{kind} after {took:?}");
            assert_eq!(bed.used(key, RATES), 0);
        }
        let (kind, took) = sent.join().unwrap();
        assert!(kind == ErrorKind::Unknown && within(SECOND, took), "{kind} after {took:?}");
    });
    bed.proxy.heal();
    admits(&limiter, "first");
    await_that("what was sent is carried out and given back", || {
        let seen = limiter.list("", None, 10).unwrap().keys;
        seen == ["first"] && bed.server.command(&["EXISTS", "scupper:sent"]).integer() == 1
    });
    for key in ["sent", "a", "b", "c"] {
        assert_eq!(bed.used(key, RATES), 0, "{key}");
    }
    assert_eq!((bed.used("first", RATES), bed.proxy.connections()), (2, 1));
}

#[test]
fn promise_8_what_was_carried_out_during_a_stall_is_given_back_when_the_answer_comes() {
    let bed = Bed::new();
    let limiter = limiting(RATES, &bed.store()).call_timeout(100 * MILLISECOND).build().unwrap();
    admits(&limiter, "key");
    bed.proxy.set(Fault::stall_replies().when_sent("EVALSHA"));
    assert_eq!(refused(limiter.request("key").weight(9).try_acquire()).kind(), ErrorKind::Unknown);
    assert_eq!(bed.used("key", RATES), 10);
    bed.proxy.heal();
    await_that("it is given back", || bed.used("key", RATES) == 1);
    admits(&limiter, "key");
    assert_eq!(bed.proxy.connections(), 1);
}

#[test]
fn promise_8_a_connection_that_does_not_answer_any_more_is_given_up_for_another() {
    for fault in [Fault::stall, Fault::stall_replies] {
        let bed = Bed::new();
        let store = bed.builder().answer_within(200 * MILLISECOND).open().unwrap();
        let limiter = limiting(RATES, &store).build().unwrap();
        admits(&limiter, "key");
        bed.proxy.set(fault().when_sent("EVALSHA").times(1));
        let (kind, took) = timed(&limiter, "key");
        assert_eq!(kind, ErrorKind::Unknown);
        assert!((200 * MILLISECOND..200 * MILLISECOND + SOON).contains(&took), "{took:?}");
        let before = bed.used("key", RATES);
        admits(&limiter, "key");
        assert_eq!((bed.used("key", RATES), bed.proxy.connections()), (before + 1, 2));
        bed.proxy.set(fault().when_sent("SCAN").times(1));
        assert_eq!(limiter.list("", None, 10).unwrap_err().kind(), ErrorKind::Unavailable);
        admits(&limiter, "key");
        assert_eq!(bed.proxy.connections(), 3);
    }
}

#[test]
fn promise_8_refused_connections_are_an_error_at_once_without_a_storm_and_recover_within_a_second() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    admits(&limiter, "key");
    bed.proxy.set(Fault::refuse());
    let before = bed.proxy.connections();
    let start = Instant::now();
    thread::scope(|threads| {
        for number in 0..4 {
            let (limiter, key) = (&limiter, format!("key-{number}"));
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
    let (took, _) = recovers(&limiter, "key");
    assert!(took < SECOND + SOON, "{took:?}");
    assert_eq!((bed.used("key", RATES), bed.used("key-0", RATES)), (2, 0));
}

#[test]
fn promise_2_a_long_line_to_the_server_makes_requests_slow_and_nothing_else() {
    let bed = Bed::new();
    let limiter = bed.limiter("100/h");
    bed.proxy.set(Fault::delay(50 * MILLISECOND));
    let start = Instant::now();
    let admitted: usize = thread::scope(|threads| {
        let ask = || (0..10).filter(|_| limiter.try_acquire("key").unwrap().is_admitted()).count();
        let asking: Vec<_> = (0..12).map(|_| threads.spawn(ask)).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).sum()
    });
    assert_eq!((admitted, bed.used("key", "100/h")), (100, 100));
    assert!(start.elapsed() < 4 * SECOND, "calls are shared: {:?}", start.elapsed());
}

#[test]
fn promise_2_who_waits_is_served_over_another_connection_when_the_first_has_broken() {
    let bed = Bed::new();
    let limiter = bed.limiter("1/300ms");
    admits(&limiter, "key");
    let answered = bed.proxy.bytes_received();
    thread::scope(|threads| {
        let waiting = threads.spawn(|| limiter.acquire("key").map(|permit| permit.sequence()));
        await_that("the one who waits was denied", || bed.proxy.bytes_received() > answered);
        bed.proxy.close_connections();
        assert_eq!(waiting.join().unwrap().unwrap(), 2);
    });
    assert_eq!(bed.proxy.connections(), 2);
}
