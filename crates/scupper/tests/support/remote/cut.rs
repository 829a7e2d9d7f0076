//! The way to a server breaks, stalls or drags: what has left is never sent again, what has not left is not lost, nobody waits
//! longer than the call may take, and nobody is denied what fits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use scupper::{ErrorKind, Limiter};
use scupper_testbed::{Ends, Fault, await_that};

use crate::support::remote::{AT_ONCE, RemoteBed, admits, by_default, limiting, patient, recovers, refused};
use crate::support::{MILLISECOND, SECOND, Task};

const RATES: &str = "1000/h";

/// All keys begin so, and nothing else that is sent has it.
const ASKED: &str = "user:";
const KEY: &str = "user:42";

pub(crate) fn promise_2_a_connection_that_was_closed_while_idle_costs_no_request<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter("1000000/h");
    for count in 1..=200 {
        admits(&limiter, KEY);
        bed.proxy().close_connections();
        // Every other time at once, when it may be that nobody but the system has heard of it.
        assert!(count % 2 == 0 || bed.used(KEY, "1000000/h") == count);
    }
    assert_eq!((bed.used(KEY, "1000000/h"), bed.proxy().connections()), (200, 200));
}

pub(crate) fn promise_8_what_the_server_never_sees_is_unknown_to_who_sent_it_and_is_not_sent_again<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter(RATES);
    bed.proxy().set(Fault::cut_before_send().when_sent(ASKED).times(1));
    assert_eq!(refused(limiter.try_acquire(KEY)).kind(), ErrorKind::Unknown);
    assert_eq!((bed.proxy().strikes(), bed.used(KEY, RATES)), (1, 0));
    admits(&limiter, KEY);
    assert_eq!((bed.used(KEY, RATES), bed.proxy().connections()), (1, 2));
}

pub(crate) fn promise_8_a_request_of_which_nothing_has_left_is_unavailable_and_the_next_one_is_served<R: RemoteBed>() {
    for fault in [Fault::cut_before_send, Fault::cut_after_send] {
        for opening in R::OPENING {
            let bed = R::make();
            let limiter = bed.limiter(RATES);
            bed.proxy().set(fault().when_sent(*opening).times(1));
            let error = refused(limiter.try_acquire(KEY));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert_eq!((bed.proxy().strikes(), bed.used(KEY, RATES)), (1, 0));
            let (took, _) = recovers(&limiter, KEY);
            assert!(took < AT_ONCE, "{took:?}");
            assert_eq!((bed.used(KEY, RATES), bed.proxy().connections()), (1, 2));
        }
    }
}

pub(crate) fn promise_8_what_was_carried_out_and_not_answered_counts_once<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter(RATES);
    for cut in 0..20 {
        bed.proxy().set(Fault::cut_after_send().when_sent(ASKED).times(1));
        let error = refused(limiter.request(KEY).weight(3).try_acquire());
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
        assert_eq!((bed.proxy().strikes(), bed.used(KEY, RATES)), (1, cut * 4 + 3));
        admits(&limiter, KEY);
        assert_eq!(bed.used(KEY, RATES), cut * 4 + 4);
    }
}

pub(crate) fn promise_8_an_answer_that_breaks_off_anywhere_leaves_the_request_unknown_and_counted_once<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter(RATES);
    admits(&limiter, KEY);
    for bytes in 0..1000 {
        bed.proxy().set(Fault::cut_in_reply(bytes).when_sent(ASKED).times(1));
        let decision = limiter.try_acquire(KEY);
        assert_eq!(bed.used(KEY, RATES), u64::try_from(bytes).unwrap() + 2);
        if let Ok(decision) = decision {
            assert!(bytes > 20 && decision.is_admitted(), "{bytes}: {decision:?}");
            return;
        }
        assert_eq!(refused(decision).kind(), ErrorKind::Unknown);
        assert_eq!(bed.proxy().strikes(), 1);
    }
    panic!("no answer is so long");
}

pub(crate) fn promise_8_all_who_went_out_together_are_unknown_and_each_counts_once<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter(RATES);
    admits(&limiter, "user:first");
    bed.proxy().set(Fault::stall().when_sent(ASKED));
    let mut first = Task::new(limiter.try_acquire_async("user:first"));
    bed.proxy().await_strike();
    let keys: Vec<String> = (0..40).map(|number| format!("user:behind-{number}")).collect();
    let mut behind: Vec<_> = keys.iter().map(|key| Task::new(limiter.try_acquire_async(key))).collect();
    bed.proxy().set(Fault::cut_after_send().when_sent("user:behind"));
    await_that("the first is answered", || first.is_woken() && !first.is_pending());
    assert!(first.output().unwrap().is_admitted());
    for task in &mut behind {
        await_that("it is known that nobody knows", || task.is_woken() && !task.is_pending());
        assert_eq!(refused(task.output()).kind(), ErrorKind::Unknown);
    }
    assert_eq!(bed.proxy().strikes(), 1, "they went out together");
    bed.proxy().heal();
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

pub(crate) fn promises_5_and_8_a_stall_is_an_error_in_time_and_what_it_admits_yet_is_given_back<R: RemoteBed>() {
    let bed = R::make();
    let store = bed.by_default();
    let (limiter, patient) = (by_default(RATES, &store), patient(RATES, &store));
    recovers(&patient, "user:first");
    let first = bed.used("user:first", RATES);
    bed.proxy().set(Fault::stall().when_sent(ASKED));
    // Some seconds later, the store would give the connection up.
    let within = |limit: Duration, took: Duration| (limit..4 * SECOND).contains(&took);
    let behind = ["user:a", "user:b", "user:c"];
    thread::scope(|threads| {
        let sent = threads.spawn(|| timed(&limiter, "user:sent"));
        bed.proxy().await_strike();
        // What ends them is the limit of the store: on a machine that stands still, that of a limiter could come first.
        let behind = behind.map(|key| (key, threads.spawn(|| timed(&patient, key))));
        for (key, asked) in behind {
            let (kind, took) = asked.join().unwrap();
            assert!(kind == ErrorKind::Unavailable && within(500 * MILLISECOND, took), "{kind} after {took:?}");
            assert_eq!(bed.used(key, RATES), 0);
        }
        let (kind, took) = sent.join().unwrap();
        assert!(kind == ErrorKind::Unknown && within(SECOND, took), "{kind} after {took:?}");
    });
    bed.proxy().heal();
    // Behind what was sent, on the same connection.
    recovers(&patient, "user:first");
    await_that("what was carried out is given back", || bed.used("user:sent", RATES) == 0);
    for key in behind {
        assert_eq!(bed.used(key, RATES), 0, "{key}");
    }
    assert_eq!((bed.used("user:first", RATES), bed.proxy().connections()), (first + 1, 1));
}

pub(crate) fn promise_8_what_was_carried_out_during_a_stall_is_given_back_when_the_answer_comes<R: RemoteBed>() {
    let bed = R::make();
    let store = bed.one_by_one();
    let patient = patient(RATES, &store);
    admits(&patient, KEY);
    bed.proxy().set(Fault::stall_replies().when_sent(ASKED));
    // Longer than it takes to be sent.
    let limiter = limiting(RATES, &store).call_timeout(SECOND).build().unwrap();
    assert_eq!(refused(limiter.request(KEY).weight(9).try_acquire()).kind(), ErrorKind::Unknown);
    await_that("it is carried out", || bed.used(KEY, RATES) == 10);
    bed.proxy().heal();
    await_that("it is given back", || bed.used(KEY, RATES) == 1);
    admits(&patient, KEY);
    assert_eq!(bed.proxy().connections(), 1);
}

pub(crate) fn promise_8_a_connection_that_does_not_answer_any_more_is_given_up_for_another<R: RemoteBed>() {
    for fault in [Fault::stall, Fault::stall_replies] {
        let bed = R::make();
        let limiter = patient(RATES, &bed.impatient());
        recovers(&limiter, KEY);
        let connections = bed.proxy().connections();
        let given_up = |times: u64| {
            let connections = connections + times * R::FOR_ONE_GIVEN_UP;
            await_that("there are others in its place", || bed.proxy().connections() >= connections);
            assert_eq!(bed.proxy().connections(), connections);
        };
        bed.proxy().set(fault().when_sent(ASKED).times(1));
        let (kind, took) = timed(&limiter, KEY);
        assert_eq!(kind, ErrorKind::Unknown);
        assert!((SECOND..SECOND + AT_ONCE).contains(&took), "{took:?}");
        let before = bed.used(KEY, RATES);
        recovers(&limiter, KEY);
        assert_eq!(bed.used(KEY, RATES), before + 1);
        given_up(1);
        // What was held is judged by each new fault.
        bed.proxy().set(fault().when_sent("team:").times(1));
        assert_eq!(limiter.list("team:", None, 10).unwrap_err().kind(), ErrorKind::Unavailable);
        recovers(&limiter, KEY);
        given_up(2);
    }
}

pub(crate) fn promise_8_refused_connections_are_an_error_at_once_without_a_storm_and_recover_within_a_second<
    R: RemoteBed,
>() {
    let bed = R::make();
    let limiter = bed.limiter(RATES);
    admits(&limiter, KEY);
    bed.proxy().set(Fault::refuse());
    let before = bed.proxy().connections();
    let attempts = || bed.proxy().connections() - before;
    let (start, is_over, asked) = (Instant::now(), AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for number in 0..4 {
            let (limiter, is_over, asked, key) = (&limiter, &is_over, &asked, format!("user:{number}"));
            threads.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(refused(limiter.try_acquire(&key)).kind(), ErrorKind::Unavailable);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        await_that("it is tried again and again", || attempts() >= 3 && start.elapsed() > 1500 * MILLISECOND);
        // Those who waited for the next attempt would hear no more often than there is one.
        await_that("most hear at once", || asked.load(Ordering::Relaxed) > 40 * attempts());
    });
    let (attempts, most) = (attempts(), most_attempts(start.elapsed()));
    assert!(attempts <= most, "{attempts} of {most}");
    bed.proxy().heal();
    let (took, _) = recovers(&limiter, KEY);
    // No pause is longer than a second; the machine may have much else to do.
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!((bed.used(KEY, RATES), bed.used("user:0", RATES)), (2, 0));
}

/// How often a server is tried in this time at the most: with pauses of 50, 100, 200, 400, 800 and 1,000 ms, or a half of that.
fn most_attempts(time: Duration) -> u64 {
    let (mut attempts, mut next, mut pause) = (2, Duration::ZERO, 25 * MILLISECOND);
    while next < time {
        attempts += 1;
        next += pause;
        pause = (2 * pause).min(SECOND / 2);
    }
    attempts
}

pub(crate) fn promise_2_a_long_line_to_the_server_makes_requests_slow_and_nothing_else<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter("100/h");
    admits(&limiter, KEY);
    bed.proxy().set(Fault::delay(100 * MILLISECOND));
    let start = Instant::now();
    let admitted: usize = thread::scope(|threads| {
        let ask = || (0..10).filter(|_| limiter.try_acquire(KEY).unwrap().is_admitted()).count();
        let asking: Vec<_> = (0..12).map(|_| threads.spawn(ask)).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).sum()
    });
    assert_eq!((admitted, bed.used(KEY, "100/h")), (99, 100));
    // A hundred and twenty calls would take twelve seconds.
    assert!(start.elapsed() < 9 * SECOND, "calls are shared: {:?}", start.elapsed());
}

pub(crate) fn promise_2_who_waits_is_served_over_another_connection_when_the_first_has_broken<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter("1/2s");
    admits(&limiter, KEY);
    let answered = bed.proxy().bytes_received();
    thread::scope(|threads| {
        let waiting = threads.spawn(|| limiter.acquire(KEY).map(|permit| permit.sequence()));
        await_that("the one who waits was denied", || bed.proxy().bytes_received() > answered);
        // What is answered later comes behind it.
        admits(&limiter, "user:other");
        bed.proxy().close_connections();
        assert_eq!(waiting.join().unwrap().unwrap(), 2);
    });
    assert_eq!(bed.proxy().connections(), 2);
}
