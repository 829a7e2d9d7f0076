//! How a store that could not tell is tried again, and what becomes of those who wait so long.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::Duration;

use scupper::{Cause, Decision, ErrorKind, OutagePolicy, Source, Timer, Timestamp};
use support::{
    Answers, Failure, MILLISECOND, Outage, SECOND, TICK, Task, admitted, ask, begin, clock_and_store, denied, end,
    limiting, local, outcome,
};

#[test]
fn promise_8_the_store_is_left_alone_for_a_second_and_then_tried_by_one() {
    for (policy, source) in [
        (OutagePolicy::FailOpen, Source::FailOpen),
        (OutagePolicy::FailClosed, Source::FailClosed),
        (local("100/h"), Source::Fallback),
    ] {
        let (timer, store) = clock_and_store();
        let limiter = limiting("100/h", &timer, &store).on_outage(policy).build().unwrap();
        store.fail(Failure::of(ErrorKind::Unavailable));
        let keys = ["key", "other", "third"];
        let ask_all = || {
            for key in keys {
                assert_eq!(limiter.try_acquire(key).unwrap().source(), source);
            }
        };
        ask_all();
        timer.advance(Duration::from_micros(999_999));
        ask_all();
        assert_eq!(store.calls(), 1, "it is left alone");
        for tried in 1..=3 {
            timer.advance(if tried == 1 { TICK } else { SECOND });
            ask_all();
            ask_all();
            assert_eq!(store.calls(), 1 + tried, "one tries");
        }
        // While one tries, the others are ruled as before, however long it takes.
        timer.advance(SECOND);
        store.answer(Answers::Later);
        let mut trying = Task::new(limiter.try_acquire_async("key"));
        timer.advance(999 * MILLISECOND);
        assert!(trying.is_pending());
        let behind = Task::new(limiter.try_acquire_async("key"));
        for key in &keys[1..] {
            assert_eq!(limiter.try_acquire(key).unwrap().source(), source);
        }
        assert_eq!((store.calls(), store.waiting()), (5, 1));
        store.deliver();
        assert_eq!(trying.output().unwrap().source(), source);
        assert_eq!(outcome(behind, &timer).unwrap().source(), source, "the outage goes on");
        assert_eq!(store.calls(), 5);
        end(&store);
        timer.advance(SECOND);
        for key in keys {
            assert_eq!(limiter.try_acquire(key).unwrap().source(), Source::Store);
        }
        assert_eq!(store.calls(), 8, "it is back");
    }
}

#[test]
fn promise_8_a_try_that_gets_no_answer_is_followed_by_another_a_second_later() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("5/h", &timer, &store).on_outage(OutagePolicy::FailClosed).build().unwrap();
    store.answer(Answers::Never);
    assert_eq!(ask(&limiter, &timer).unwrap().source(), Source::FailClosed);
    timer.advance(SECOND);
    assert_eq!(ask(&limiter, &timer).unwrap().source(), Source::FailClosed);
    assert_eq!(timer.now(), Timestamp::from_micros(3_000_000));
    timer.advance(Duration::from_micros(999_999));
    assert_eq!(ask(&limiter, &timer).unwrap().source(), Source::FailClosed);
    assert_eq!(store.calls(), 2);
    end(&store);
    timer.advance(TICK);
    assert_eq!(ask(&limiter, &timer).unwrap().source(), Source::Store);
}

#[test]
fn promise_8_a_try_whose_request_went_away_still_brings_the_store_back() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("5/h", &timer, &store).on_outage(OutagePolicy::FailClosed).build().unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    assert_eq!(ask(&limiter, &timer).unwrap().source(), Source::FailClosed);
    store.recover();
    timer.advance(SECOND);
    store.answer(Answers::Later);
    drop(Task::new(limiter.acquire_async("key")));
    assert_eq!(limiter.try_acquire("other").unwrap().source(), Source::FailClosed);
    store.deliver_all();
    store.answer(Answers::AtOnce);
    assert_eq!(limiter.try_acquire("other").unwrap().source(), Source::Store);
    assert_eq!(store.used("key", "5/h"), 0);
}

/// Those in which nothing was carried out that is not known of.
fn clear_outages() -> [Outage; 2] {
    [Outage::Fails(Failure::of(ErrorKind::Unavailable)), Outage::Fails(Failure::after(ErrorKind::Unavailable))]
}

#[test]
fn promise_8_what_may_have_been_carried_out_is_not_asked_for_again() {
    for policy in [OutagePolicy::FailClosed, local("1/h")] {
        let (timer, store) = clock_and_store();
        let limiter = limiting("5/h", &timer, &store).on_outage(policy).build().unwrap();
        store.fail(Failure::after(ErrorKind::Unknown));
        // The fallback has room for one.
        drop(limiter.try_acquire("key"));
        let errors: Vec<_> = (0..3)
            .map(|_| {
                timer.advance(SECOND);
                let mut waiting = Task::new(limiter.acquire_async("key"));
                waiting.output().unwrap_err().kind()
            })
            .collect();
        assert_eq!(errors, [ErrorKind::Unknown; 3]);
        timer.advance(SECOND);
        timer.advance(SECOND);
        assert_eq!(store.used("key", "5/h"), 4, "each was asked for once");
    }
}

#[test]
fn promise_8_who_waits_under_fail_closed_is_served_once_the_store_is_back() {
    for outage in clear_outages() {
        let (timer, store) = clock_and_store();
        let limiter = limiting("100/h", &timer, &store).on_outage(OutagePolicy::FailClosed).build().unwrap();
        begin(outage, &store);
        let mut first = Task::new(limiter.acquire_async("key"));
        let mut second = Task::new(limiter.request("key").weight(2).acquire_async());
        for _ in 0..5 {
            timer.advance(SECOND);
            assert!(first.is_pending() && second.is_pending());
        }
        end(&store);
        timer.advance(SECOND);
        timer.advance(SECOND);
        let (first, second) = (first.output().unwrap(), second.output().unwrap());
        assert_eq!((first.source(), second.source()), (Source::Store, Source::Store), "{outage:?}");
        assert!(first.sequence() < second.sequence());
    }
}

#[test]
fn promise_5_who_waits_under_fail_closed_tries_as_soon_as_the_store_may_be_tried() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("5/h", &timer, &store).on_outage(OutagePolicy::FailClosed).build().unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    assert!(!limiter.try_acquire("key").unwrap().is_admitted());
    timer.advance(500 * MILLISECOND);
    let mut waiting = Task::new(limiter.request("key").timeout(700 * MILLISECOND).acquire_async());
    assert!(waiting.is_pending(), "the store is tried in half a second");
    let hasty = limiter.request("other").timeout(400 * MILLISECOND).acquire();
    assert_eq!(hasty.unwrap_err().kind(), ErrorKind::Timeout, "which is too late for this one");
    store.recover();
    timer.advance(500 * MILLISECOND);
    assert_eq!(waiting.output().unwrap().source(), Source::Store);
}

#[test]
fn promise_5_light_ones_behind_a_waiter_stay_behind_it_under_fail_closed() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("5/h", &timer, &store).on_outage(OutagePolicy::FailClosed).build().unwrap();
    store.answer(Answers::Later);
    store.fail(Failure::of(ErrorKind::Unavailable));
    let mut first = Task::new(limiter.try_acquire_async("key"));
    let mut waiting = Task::new(limiter.acquire_async("key"));
    let mut behind = Task::new(limiter.try_acquire_async("key"));
    store.deliver_all();
    assert_eq!(denied(&first.output().unwrap()).cause(), Cause::Outage);
    assert!(waiting.is_pending());
    assert_eq!(denied(&behind.output().unwrap()).cause(), Cause::Queued);
}

#[test]
fn promise_8_who_waits_for_the_fallback_goes_back_to_the_store_once_that_is_back() {
    for outage in clear_outages() {
        let (timer, store) = clock_and_store();
        let limiter = limiting("100/h", &timer, &store).on_outage(local("1/h")).build().unwrap();
        begin(outage, &store);
        assert_eq!(admitted(ask(&limiter, &timer).unwrap()).source(), Source::Fallback);
        let mut waiting = Task::new(limiter.acquire_async("key"));
        let mut in_time = Task::new(limiter.request("key").timeout(4 * SECOND).acquire_async());
        timer.advance(SECOND);
        timer.advance(SECOND);
        assert!(waiting.is_pending() && in_time.is_pending());
        end(&store);
        timer.advance(SECOND);
        timer.advance(SECOND);
        for task in [&mut waiting, &mut in_time] {
            assert_eq!(task.output().unwrap().source(), Source::Store, "{outage:?}");
        }
    }
}

#[test]
fn promise_8_who_waits_for_the_fallback_is_served_by_it_while_the_store_is_away() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("100/h", &timer, &store).on_outage(local("1/2500ms")).build().unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    let first = limiter.acquire("key").unwrap();
    let mut waiting = Task::new(limiter.acquire_async("key"));
    while waiting.is_pending() {
        timer.advance(timer.next_alarm().unwrap().since(timer.now()));
    }
    let second = waiting.output().unwrap();
    assert_eq!((first.source(), second.source()), (Source::Fallback, Source::Fallback));
    assert_eq!(second.tick().since(first.tick()), Duration::from_micros(2_500_001), "at the very tick");
}

#[test]
fn promise_8_what_is_too_heavy_for_the_fallback_waits_for_the_store() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("100/h", &timer, &store).on_outage(local("5/h")).build().unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    let decision = limiter.request("key").weight(6).try_acquire().unwrap();
    assert_eq!((denied(&decision).cause(), denied(&decision).source()), (Cause::Outage, Source::Fallback));
    assert_eq!((denied(&decision).retry_after(), denied(&decision).binding_rate()), (SECOND, None));
    let never = limiter.request("key").weight(101).try_acquire().unwrap();
    assert!(matches!(never, Decision::NeverFits(_)));
    let mut waiting = Task::new(limiter.request("key").weight(6).acquire_async());
    timer.advance(SECOND);
    assert!(waiting.is_pending());
    store.recover();
    timer.advance(SECOND);
    assert_eq!(waiting.output().unwrap().source(), Source::Store);
}

#[test]
fn promise_5_light_ones_do_not_pass_one_that_is_too_heavy_for_the_fallback() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("100/h", &timer, &store).on_outage(local("5/h")).build().unwrap();
    store.answer(Answers::Later);
    store.fail(Failure::of(ErrorKind::Unavailable));
    let mut first = Task::new(limiter.acquire_async("key"));
    let mut heavy = Task::new(limiter.request("key").weight(6).acquire_async());
    let mut light = Task::new(limiter.acquire_async("key"));
    let mut passing = Task::new(limiter.try_acquire_async("key"));
    store.deliver_all();
    assert_eq!(first.output().unwrap().source(), Source::Fallback);
    assert_eq!(denied(&passing.output().unwrap()).cause(), Cause::Queued);
    assert!(heavy.is_pending() && light.is_pending());
    end(&store);
    timer.advance(SECOND);
    let (heavy, light) = (heavy.output().unwrap(), light.output().unwrap());
    assert_eq!((heavy.sequence(), light.sequence()), (6, 7));
}

#[test]
fn promise_8_a_hold_counts_for_the_fallback_too_while_the_store_cannot_be_told() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("100/h", &timer, &store).on_outage(local("10/h")).build().unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    assert_eq!(limiter.hold("key", 5 * SECOND).unwrap_err().kind(), ErrorKind::Unavailable);
    let decision = limiter.try_acquire("key").unwrap();
    assert_eq!((denied(&decision).cause(), decision.source()), (Cause::Held, Source::Fallback));
    timer.advance(5 * SECOND);
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
}

#[test]
fn promise_8_in_one_line_each_is_answered_by_the_policy_of_its_own_limiter() {
    let (timer, store) = clock_and_store();
    let strict = limiting("9/h", &timer, &store).build().unwrap();
    let open = limiting("9/h", &timer, &store).on_outage(OutagePolicy::FailOpen).build().unwrap();
    store.answer(Answers::Later);
    let mut first = Task::new(strict.acquire_async("key"));
    // Both gather behind the first one's call.
    let mut reported = Task::new(strict.acquire_async("key"));
    let mut let_pass = Task::new(open.acquire_async("key"));
    store.fail(Failure::of(ErrorKind::Unavailable));
    store.deliver_all();
    assert!(first.output().is_ok());
    assert_eq!(reported.output().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(let_pass.output().unwrap().source(), Source::FailOpen);
}
