//! Calls to the store that take longer than they may.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::thread;
use std::time::Duration;

use scupper::{Error, ErrorKind, LimiterBuilder, OutagePolicy, Source, Timer};
use support::{
    Answers, Failure, HOUR, Kind, MILLISECOND, SECOND, TICK, Task, admitted, clock_and_store, limiting, local, until,
};

const LATER: [Answers; 2] = [Answers::Later, Answers::CarriedOutLater];

#[test]
fn promise_8_a_call_that_takes_too_long_leaves_it_unknown_what_became_of_an_acquire() {
    for answers in [Answers::Later, Answers::CarriedOutLater, Answers::Never] {
        let (timer, store) = clock_and_store();
        store.answer(answers);
        let limiter = limiting("5/h", &timer, &store).build().unwrap();
        let mut passing = Task::new(limiter.try_acquire_async("passing"));
        let mut waiting = Task::new(limiter.acquire_async("waiting"));
        let mut reserving = Task::new(limiter.request("reserving").reserve_async());
        let mut detailed = Task::new(limiter.request("detailed").detailed_async());
        timer.advance(Duration::from_micros(999_999));
        assert!(passing.is_pending() && waiting.is_pending() && reserving.is_pending() && detailed.is_pending());
        timer.advance(TICK);
        let error = passing.output().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
        assert!(error.message().contains("within 1s, the call_timeout; what was asked may or may not"), "{error}");
        assert_eq!(waiting.output().unwrap_err().kind(), ErrorKind::Unknown);
        assert_eq!(reserving.output().unwrap_err().kind(), ErrorKind::Unknown);
        assert_eq!(detailed.output().unwrap_err().kind(), ErrorKind::Unknown);
        assert_eq!(store.calls(), 4, "nothing is repeated");
    }
}

#[test]
fn promise_8_a_look_that_takes_too_long_changed_nothing_and_all_else_may_have() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("5/h", &timer, &store).build().unwrap();
    let permit = limiter.acquire("key").unwrap();
    let (less, more) = (limiter.request("key").reserve().unwrap(), limiter.request("key").reserve().unwrap());
    store.answer(Answers::Never);
    let mut peek = Task::new(limiter.peek_async("key"));
    let mut list = Task::new(limiter.list_async("", None, 10));
    let mut refund = Task::new(limiter.refund_async(permit));
    let mut penalize = Task::new(limiter.penalize_async("key", 1));
    let mut hold = Task::new(limiter.hold_async("key", SECOND));
    let mut reset = Task::new(limiter.reset_async("key"));
    let (mut less, mut more) = (Task::new(less.settle_async(0)), Task::new(more.settle_async(2)));
    timer.advance(Duration::from_micros(999_999));
    assert!(peek.is_pending() && list.is_pending() && refund.is_pending() && penalize.is_pending());
    assert!(hold.is_pending() && reset.is_pending() && less.is_pending() && more.is_pending());
    timer.advance(TICK);
    let error = peek.output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().ends_with("within 1s, the call_timeout"), "{error}");
    assert_eq!(list.output().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(refund.output().unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(penalize.output().unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(hold.output().unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(reset.output().unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(less.output().unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(more.output().unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(store.calls(), 3 + 8, "nothing is repeated");
}

#[test]
fn promise_8_a_blocked_thread_is_let_go_when_the_time_is_over() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Never);
    let limiter = limiting("5/h", &timer, &store).call_timeout(5 * SECOND).build().unwrap();
    let asks: [fn(&scupper::Limiter) -> Error; 3] = [
        |limiter| limiter.try_acquire("key").unwrap_err(),
        |limiter| limiter.acquire("key").unwrap_err(),
        |limiter| limiter.penalize("key", 1).unwrap_err(),
    ];
    for ask in asks {
        let calls = store.calls();
        thread::scope(|scope| {
            let asking = scope.spawn(|| ask(&limiter));
            until(|| store.calls() > calls);
            // The call's time begins when it is made, which another thread cannot see: it is over then at the latest.
            until(|| {
                timer.advance(SECOND);
                asking.is_finished()
            });
            assert_eq!(asking.join().unwrap().kind(), ErrorKind::Unknown);
        });
    }
}

#[test]
fn promise_5_a_grant_that_comes_late_is_given_back() {
    for answers in LATER {
        for (weight, detailed) in [(1, false), (3, false), (2, true)] {
            let (timer, store) = clock_and_store();
            store.answer(answers);
            let limiter = limiting("5/h", &timer, &store).build().unwrap();
            let request = limiter.request("key").weight(weight);
            let mut task = Task::new(async {
                if detailed {
                    request.detailed_async().await.map(drop)
                } else {
                    request.acquire_async().await.map(drop)
                }
            });
            timer.advance(SECOND);
            assert_eq!(task.output().unwrap_err().kind(), ErrorKind::Unknown);
            assert_eq!(store.count(Kind::Refund), 0, "nobody knows yet");
            store.deliver();
            assert_eq!((store.last_batch()[0].kind, store.last_batch()[0].units), (Kind::Refund, weight));
            store.deliver();
            assert_eq!((store.used("key", "5/h"), store.waiting()), (0, 0), "{answers:?}");
        }
    }
}

#[test]
fn promise_5_what_is_given_back_late_serves_who_waits() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/h", &timer, &store).build().unwrap();
    let mut late = Task::new(limiter.acquire_async("key"));
    timer.advance(SECOND);
    assert_eq!(late.output().unwrap_err().kind(), ErrorKind::Unknown);
    let mut waiting = Task::new(limiter.acquire_async("key"));
    store.deliver_last();
    assert!(waiting.is_pending() && timer.alarms() == 1, "the unit is taken yet");
    store.deliver_all();
    assert_eq!(waiting.output().unwrap().tick().as_micros(), 1_000_000);
    assert_eq!(store.used("key", "1/h"), 1);
}

#[test]
fn promise_5_a_late_denial_and_a_late_error_give_nothing_back() {
    for failure in [None, Some(Failure::of(ErrorKind::Unavailable))] {
        let (timer, store) = clock_and_store();
        let limiter = limiting("1/h", &timer, &store).build().unwrap();
        let _held = limiter.acquire("key").unwrap();
        store.answer(Answers::Later);
        if let Some(failure) = failure {
            store.fail(failure);
        }
        let mut task = Task::new(limiter.try_acquire_async("key"));
        timer.advance(SECOND);
        assert_eq!(task.output().unwrap_err().kind(), ErrorKind::Unknown);
        store.deliver_all();
        assert_eq!((store.used("key", "1/h"), store.count(Kind::Refund)), (1, 0));
    }
}

#[test]
fn promise_5_of_a_late_batch_only_the_grants_are_given_back() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("6/h", &timer, &store).build().unwrap();
    let mut first = Task::new(limiter.acquire_async("key"));
    let mut granted = Task::new(limiter.request("key").weight(2).detailed_async());
    let mut denied = Task::new(limiter.request("key").weight(4).try_acquire_async());
    let mut also_granted = Task::new(limiter.request("key").weight(3).try_acquire_async());
    store.deliver();
    assert!(first.output().is_ok());
    timer.advance(SECOND);
    assert_eq!(granted.output().unwrap_err().kind(), ErrorKind::Unknown);
    for task in [&mut denied, &mut also_granted] {
        assert_eq!(task.output().unwrap_err().kind(), ErrorKind::Unknown);
    }
    assert_eq!(store.used("key", "6/h"), 6);
    store.deliver_all();
    assert_eq!((store.used("key", "6/h"), store.count(Kind::Refund)), (1, 2));
}

#[test]
fn promise_8_a_late_grant_is_kept_where_the_policy_let_the_request_pass_and_given_back_where_it_did_not() {
    for answers in LATER {
        for (policy, used) in
            [(OutagePolicy::Error, 0), (OutagePolicy::FailOpen, 1), (OutagePolicy::FailClosed, 0), (local("5/h"), 1)]
        {
            let (timer, store) = clock_and_store();
            store.answer(answers);
            let limiter = limiting("5/h", &timer, &store).on_outage(policy.clone()).build().unwrap();
            let mut task = Task::new(limiter.try_acquire_async("key"));
            timer.advance(SECOND);
            let passes = task.output().is_ok_and(|decision| decision.is_admitted());
            assert_eq!(passes, used == 1);
            store.deliver_all();
            assert_eq!(store.used("key", "5/h"), used, "{policy:?}");
        }
    }
}

#[test]
fn promise_8_a_late_grant_is_given_back_where_the_fallback_denied() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("5/h", &timer, &store).on_outage(local("1/h")).build().unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    assert_eq!(admitted(limiter.try_acquire("key").unwrap()).source(), Source::Fallback);
    store.recover();
    store.answer(Answers::Later);
    timer.advance(SECOND);
    let mut task = Task::new(limiter.try_acquire_async("key"));
    timer.advance(SECOND);
    assert!(!task.output().unwrap().is_admitted());
    assert_eq!(store.used("key", "5/h"), 1);
    store.deliver_all();
    assert_eq!(store.used("key", "5/h"), 0);
}

#[test]
fn promise_8_who_waits_under_fail_closed_is_told_of_a_call_that_was_not_answered_and_not_asked_for_again() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/h", &timer, &store).on_outage(OutagePolicy::FailClosed).build().unwrap();
    let mut waiting = Task::new(limiter.acquire_async("key"));
    timer.advance(SECOND);
    assert_eq!(waiting.output().unwrap_err().kind(), ErrorKind::Unknown);
    store.answer(Answers::AtOnce);
    for _ in 0..5 {
        timer.advance(SECOND);
    }
    store.deliver_all();
    assert_eq!(store.used("key", "1/h"), 0, "what came late is given back");
    assert_eq!(limiter.acquire("key").unwrap().source(), Source::Store);
}

#[test]
fn promise_8_without_a_limit_a_call_takes_as_long_as_it_takes() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("5/h", &timer, &store).call_timeout(None).build().unwrap();
    let mut waiting = Task::new(limiter.acquire_async("key"));
    let mut peek = Task::new(limiter.peek_async("key"));
    timer.advance(1_000 * HOUR);
    assert!(waiting.is_pending() && peek.is_pending());
    store.deliver();
    store.deliver();
    assert!(waiting.output().is_ok() && peek.output().is_ok());
}

#[test]
fn promise_8_the_limit_is_the_one_that_was_set_and_no_answer_is_late_at_its_very_end() {
    let build = |builder: LimiterBuilder, limit| builder.call_timeout(limit).build().unwrap();
    for limit in [TICK, 20 * MILLISECOND, HOUR] {
        let (timer, store) = clock_and_store();
        store.answer(Answers::Later);
        let limiter = build(limiting("5/h", &timer, &store), limit);
        let mut late = Task::new(limiter.acquire_async("late"));
        timer.advance(limit.saturating_sub(TICK));
        assert!(late.is_pending());
        store.deliver();
        assert!(late.output().is_ok(), "a tick before the end");
        let mut late = Task::new(limiter.acquire_async("late"));
        timer.advance(limit);
        assert_eq!(late.output().unwrap_err().kind(), ErrorKind::Unknown);
    }
    let (timer, store) = clock_and_store();
    let limiter = build(limiting("5/h", &timer, &store), Duration::ZERO);
    assert!(limiter.acquire("key").is_ok(), "what is answered at once needs no time");
    store.answer(Answers::Later);
    assert_eq!(limiter.acquire("key").unwrap_err().kind(), ErrorKind::Unknown);
    store.deliver_all();
    assert_eq!(store.used("key", "5/h"), 1);
}

#[test]
fn promise_2_a_store_that_never_answers_on_one_key_holds_up_no_other() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Never);
    let limiter = limiting("5/h", &timer, &store).call_timeout(None).build().unwrap();
    let mut stuck = Task::new(limiter.acquire_async("stuck"));
    let mut behind = Task::new(limiter.request("stuck").timeout(SECOND).acquire_async());
    store.answer(Answers::AtOnce);
    for key in ["a", "b", "c"] {
        assert!(limiter.acquire(key).is_ok());
        assert!(limiter.try_acquire(key).unwrap().is_admitted());
    }
    assert_eq!(limiter.peek("stuck").unwrap().usage[0].used, 0);
    timer.advance(SECOND + TICK);
    assert_eq!(behind.output().unwrap_err().kind(), ErrorKind::Timeout);
    assert!(stuck.is_pending());
    limiter.close();
    assert_eq!(stuck.output().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn promise_5_the_next_call_goes_out_when_the_last_one_has_run_out_of_time() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Never);
    let limiter = limiting("5/h", &timer, &store).build().unwrap();
    let mut first = Task::new(limiter.acquire_async("key"));
    let mut second = Task::new(limiter.acquire_async("key"));
    store.answer(Answers::AtOnce);
    timer.advance(SECOND);
    assert_eq!(first.output().unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(second.output().unwrap().tick(), timer.now());
}

#[test]
fn promise_5_a_deadline_before_the_end_of_the_call_comes_first() {
    for (deadline, limit) in [(SECOND, 2 * SECOND), (2 * SECOND, SECOND)] {
        let (timer, store) = clock_and_store();
        store.answer(Answers::Later);
        let limiter = limiting("5/h", &timer, &store).call_timeout(limit).build().unwrap();
        let mut task = Task::new(limiter.request("key").timeout(deadline).acquire_async());
        timer.advance(SECOND + TICK);
        assert_eq!(task.output().unwrap_err().kind(), ErrorKind::Unknown);
        timer.advance(2 * SECOND);
        store.deliver_all();
        assert_eq!((store.used("key", "5/h"), store.count(Kind::Refund)), (0, 1), "given back once");
    }
}

#[test]
fn promise_5_a_late_grant_is_given_back_where_the_policy_let_one_pass_who_had_gone() {
    for policy in [OutagePolicy::FailOpen, local("1/h")] {
        for answers in LATER {
            let (timer, store) = clock_and_store();
            store.answer(answers);
            let limiter = limiting("5/h", &timer, &store).on_outage(policy.clone()).build().unwrap();
            let gone = Task::new(limiter.acquire_async("key"));
            drop(gone);
            timer.advance(SECOND);
            store.deliver_all();
            assert_eq!(store.used("key", "5/h"), 0, "{policy:?}");
            let next = admitted(limiter.try_acquire("key").unwrap()).source();
            assert_ne!(next, Source::Store, "the store is left alone, and the fallback has room");
        }
    }
}
