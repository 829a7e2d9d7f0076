//! Deadlines that end the wait for a store that says nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::error::Error as _;
use std::time::Duration;

use scupper::{Error, ErrorKind, Limiter, ManualTimer, OutagePolicy, Permit, Source};
use support::{Answers, Kind, MILLISECOND, SECOND, Scripted, TICK, Task, clock_and_store, limiting, local};

const WAIT: Duration = Duration::from_millis(100);

fn silent(rates: &str, policy: OutagePolicy) -> (ManualTimer, Scripted, Limiter) {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting(rates, &timer, &store).on_outage(policy).build().unwrap();
    (timer, store, limiter)
}

fn waiting(limiter: &Limiter) -> Task<'_, Result<Permit<'_>, Error>> {
    Task::new(limiter.request("key").timeout(WAIT).acquire_async())
}

/// Whether a wait ended because the store was silent, and not for lack of room.
fn is_for_silence(error: &Error) -> bool {
    let cause = error.source().and_then(|source| source.downcast_ref::<Error>());
    error.kind() == ErrorKind::Timeout && cause.is_some_and(|cause| cause.kind() == ErrorKind::Unavailable)
}

#[test]
fn promise_5_behind_a_call_without_an_answer_a_wait_ends_at_its_deadline_and_says_that_the_store_was_silent() {
    let (timer, store, limiter) = silent("5/h", OutagePolicy::Error);
    let mut asked = waiting(&limiter);
    timer.advance(50 * MILLISECOND);
    let mut behind = waiting(&limiter);
    timer.advance(50 * MILLISECOND + TICK);
    assert_eq!(asked.output().unwrap_err().kind(), ErrorKind::Unknown);
    timer.advance(Duration::from_micros(49_999));
    assert!(behind.is_pending(), "its deadline is now, and not over");
    timer.advance(TICK);
    let error = behind.output().unwrap_err();
    assert!(is_for_silence(&error), "{error:?}");
    store.deliver_all();
    assert_eq!((store.used("key", "5/h"), store.count(Kind::Acquire)), (0, 1));
}

#[test]
fn promise_5_one_that_is_never_asked_for_hears_of_the_silence_also_after_a_call_has_run_out_of_time() {
    let (timer, _store, limiter) = silent("5/h", OutagePolicy::Error);
    let _asked: Vec<_> = (0..6).map(|_| Task::new(limiter.acquire_async("key"))).collect();
    timer.advance(950 * MILLISECOND);
    let mut last = waiting(&limiter);
    timer.advance(50 * MILLISECOND);
    timer.advance(50 * MILLISECOND + TICK);
    let error = last.output().unwrap_err();
    assert!(is_for_silence(&error), "{error:?}");
}

#[test]
fn promise_5_one_that_waited_for_its_turn_is_late_and_no_case_of_an_outage() {
    for policy in [OutagePolicy::Error, OutagePolicy::FailOpen] {
        let (timer, store, limiter) = silent("1/s", policy);
        let mut first = Task::new(limiter.acquire_async("key"));
        store.deliver();
        assert!(first.output().is_ok());
        let _before: Vec<_> = (0..2).map(|_| Task::new(limiter.acquire_async("key"))).collect();
        let mut last = Task::new(limiter.request("key").timeout(SECOND + 2 * MILLISECOND).acquire_async());
        store.deliver();
        timer.advance(SECOND + TICK);
        assert_eq!(store.waiting(), 1, "the next two are being asked for");
        timer.advance(2 * MILLISECOND);
        let error = last.output().unwrap_err();
        assert!(error.kind() == ErrorKind::Timeout && error.source().is_none(), "{error:?}");
    }
}

#[test]
fn promise_8_at_a_deadline_in_silence_the_policy_decides() {
    let unknown = Err(ErrorKind::Unknown);
    let late = Err(ErrorKind::Timeout);
    let cases = [
        (OutagePolicy::FailOpen, [Ok(Source::FailOpen); 5]),
        (OutagePolicy::FailClosed, [unknown, unknown, unknown, unknown, late]),
        (local("1/h"), [Ok(Source::Fallback), unknown, unknown, unknown, late]),
        (local("5/h"), [Ok(Source::Fallback); 5]),
    ];
    for (policy, expected) in cases {
        let (timer, store, limiter) = silent("5/h", policy.clone());
        // The first one is answered, so that the next four are asked for together and one more stands behind them.
        let opening = Task::new(limiter.acquire_async("key"));
        let mut waits: Vec<_> = (0..5).map(|_| waiting(&limiter)).collect();
        store.deliver();
        drop(opening);
        timer.advance(WAIT + TICK);
        let ends = waits.iter_mut().map(|wait| match wait.output() {
            Ok(permit) => Ok(permit.source()),
            Err(error) if is_for_silence(&error) => panic!("the policy decides: {error}"),
            Err(error) => Err(error.kind()),
        });
        assert_eq!(ends.collect::<Vec<_>>(), expected, "{policy:?}");
        store.deliver_all();
        assert_eq!(store.used("key", "5/h"), 0, "what the store admits yet is given back: {policy:?}");
    }
}

#[test]
fn promise_8_one_let_pass_at_its_deadline_is_not_let_pass_again_when_the_call_runs_out_of_time() {
    for policy in [OutagePolicy::FailOpen, local("1/h")] {
        let (timer, store, limiter) = silent("5/h", policy.clone());
        let mut wait = waiting(&limiter);
        timer.advance(WAIT + TICK);
        let permit = wait.output().unwrap();
        timer.advance(SECOND);
        store.deliver_all();
        assert_eq!(store.used("key", "5/h"), 0, "{policy:?}");
        if permit.source() == Source::Fallback {
            assert!(!limiter.try_acquire("key").unwrap().is_admitted(), "the fallback counts it once, and keeps it");
            assert_eq!(limiter.refund(permit).unwrap(), 1);
            assert!(limiter.try_acquire("key").unwrap().is_admitted());
        }
    }
}
