//! What becomes of requests when the store cannot tell, under each policy.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::Duration;

use scupper::{
    Algorithm, Cause, Decision, Error, ErrorKind, Limiter, ManualTimer, OutagePolicy, Permit, Quota, Source, Timer,
    Timestamp,
};
use support::{
    Answers, Failure, HOUR, Kind, MILLISECOND, SECOND, Scripted, TICK, Task, admitted, clock_and_store, denied,
    limiting,
};

/// How the store fails to tell.
#[derive(Clone, Copy, Debug)]
enum Outage {
    Fails(Failure),
    TakesTooLong,
}

const OUTAGES: [fn() -> Outage; 5] = [
    || Outage::Fails(Failure::of(ErrorKind::Unavailable)),
    || Outage::Fails(Failure::of(ErrorKind::Unknown)),
    || Outage::Fails(Failure::after(ErrorKind::Unavailable)),
    || Outage::Fails(Failure::after(ErrorKind::Unknown)),
    || Outage::TakesTooLong,
];

const OTHER_ERRORS: [ErrorKind; 4] =
    [ErrorKind::Capacity, ErrorKind::AlgorithmMismatch, ErrorKind::Corrupt, ErrorKind::Unsupported];

fn local(rates: &str) -> OutagePolicy {
    OutagePolicy::Fallback(Quota::new(Algorithm::SlidingWindowLog, rates.parse::<scupper::Rates>().unwrap()).unwrap())
}

fn policies() -> [OutagePolicy; 4] {
    [OutagePolicy::Error, OutagePolicy::FailOpen, OutagePolicy::FailClosed, local("2/h")]
}

fn begin(outage: Outage, store: &Scripted) {
    match outage {
        Outage::Fails(failure) => store.fail(failure),
        Outage::TakesTooLong => store.answer(Answers::Never),
    }
}

fn end(store: &Scripted) {
    store.recover();
    store.answer(Answers::AtOnce);
}

/// What a request comes to, if need be at the end of the time that a call may take.
fn outcome<T>(mut task: Task<'_, T>, timer: &ManualTimer) -> T {
    if task.is_pending() {
        timer.advance(SECOND);
    }
    task.output()
}

fn ask<'a>(limiter: &'a Limiter, timer: &ManualTimer) -> Result<Decision<'a>, Error> {
    outcome(Task::new(limiter.try_acquire_async("key")), timer)
}

fn acquire<'a>(limiter: &'a Limiter, timer: &ManualTimer) -> Result<Permit<'a>, Error> {
    outcome(Task::new(limiter.acquire_async("key")), timer)
}

#[test]
fn promise_8_error_reports_what_the_store_said_and_goes_on_asking() {
    for outage in OUTAGES.map(|outage| outage()) {
        let (timer, store) = clock_and_store();
        let limiter = limiting("5/h", &timer, &store).build().unwrap();
        begin(outage, &store);
        let expected = match outage {
            Outage::TakesTooLong => ErrorKind::Unknown,
            Outage::Fails(failure) => failure.kind(),
        };
        for call in [1, 3] {
            assert_eq!(ask(&limiter, &timer).unwrap_err().kind(), expected, "{outage:?}");
            assert_eq!(acquire(&limiter, &timer).unwrap_err().kind(), expected, "{outage:?}");
            assert_eq!(store.calls(), call + 1, "one call for each request: nothing is repeated");
        }
        end(&store);
        assert_eq!(admitted(ask(&limiter, &timer).unwrap()).source(), Source::Store);
    }
}

#[test]
fn promise_8_fail_open_lets_requests_pass_and_counts_them_nowhere() {
    for outage in OUTAGES.map(|outage| outage()) {
        let (timer, store) = clock_and_store();
        let limiter = limiting("2/h", &timer, &store).on_outage(OutagePolicy::FailOpen).build().unwrap();
        begin(outage, &store);
        for _ in 0..5 {
            let decision = ask(&limiter, &timer).unwrap();
            assert_eq!(decision.source(), Source::FailOpen, "{outage:?}");
            let permit = admitted(decision);
            assert_eq!((permit.source(), permit.key(), permit.weight()), (Source::FailOpen, "key", 1));
            let permit = acquire(&limiter, &timer).unwrap();
            assert_eq!((permit.source(), permit.weight()), (Source::FailOpen, 1));
        }
        assert_eq!(store.calls(), 1);
        let never = limiter.request("key").weight(3).try_acquire().unwrap();
        assert!(matches!(never, Decision::NeverFits(_)), "{never:?}");
        end(&store);
        timer.advance(SECOND);
        assert_eq!(admitted(ask(&limiter, &timer).unwrap()).source(), Source::Store);
    }
}

#[test]
fn promise_8_fail_closed_denies_and_says_why_and_when_the_store_is_tried_again() {
    for outage in OUTAGES.map(|outage| outage()) {
        let (timer, store) = clock_and_store();
        let limiter = limiting("5/h", &timer, &store).on_outage(OutagePolicy::FailClosed).build().unwrap();
        begin(outage, &store);
        for passed in 0..10 {
            let decision = ask(&limiter, &timer).unwrap();
            let denied = denied(&decision);
            assert_eq!((denied.cause(), denied.source()), (Cause::Outage, Source::FailClosed), "{outage:?}");
            assert_eq!((decision.source(), denied.binding_rate()), (Source::FailClosed, None));
            assert_eq!(denied.retry_after(), Duration::from_millis(1_000 - 100 * passed));
            timer.advance(100 * MILLISECOND);
        }
        assert_eq!(store.calls(), 1);
        end(&store);
        assert_eq!(admitted(ask(&limiter, &timer).unwrap()).source(), Source::Store);
    }
}

#[test]
fn promise_8_a_fallback_decides_under_its_own_rates_and_begins_with_empty_buckets() {
    for outage in OUTAGES.map(|outage| outage()) {
        let (timer, store) = clock_and_store();
        let limiter = limiting("5/h", &timer, &store).on_outage(local("2/h")).build().unwrap();
        let _held = limiter.request("key").weight(5).acquire().unwrap();
        begin(outage, &store);
        for sequence in 1..=2 {
            let permit = admitted(ask(&limiter, &timer).unwrap());
            assert_eq!((permit.source(), permit.sequence()), (Source::Fallback, sequence), "{outage:?}");
        }
        let first = timer.now();
        let decision = ask(&limiter, &timer).unwrap();
        let denied = denied(&decision);
        assert_eq!((denied.cause(), denied.source()), (Cause::Full, Source::Fallback));
        assert_eq!(denied.binding_rate(), Some("2/h".parse().unwrap()));
        assert_eq!((denied.retry_after(), first), (HOUR + TICK, timer.now()));
        assert_eq!(store.calls(), 2);
        end(&store);
        timer.advance(SECOND);
        assert_eq!(ask(&limiter, &timer).unwrap().source(), Source::Store);
    }
}

#[test]
fn promise_8_other_errors_are_reported_under_every_policy_and_are_no_outage() {
    for policy in policies() {
        for kind in OTHER_ERRORS {
            for answers in [Answers::AtOnce, Answers::Later] {
                let (timer, store) = clock_and_store();
                let limiter = limiting("5/h", &timer, &store).on_outage(policy.clone()).build().unwrap();
                store.fail(Failure::of(kind));
                store.answer(answers);
                for _ in 0..2 {
                    let mut asking = Task::new(limiter.try_acquire_async("key"));
                    store.deliver_all();
                    assert_eq!(asking.output().unwrap_err().kind(), kind, "{policy:?}");
                    let mut waiting = Task::new(limiter.acquire_async("key"));
                    store.deliver_all();
                    assert_eq!(waiting.output().unwrap_err().kind(), kind, "{policy:?}");
                }
                assert_eq!(store.calls(), 4);
                end(&store);
                assert_eq!(admitted(limiter.try_acquire("key").unwrap()).source(), Source::Store);
            }
        }
    }
}

#[test]
fn promise_8_errors_of_all_else_are_reported_under_every_policy() {
    for policy in policies() {
        for kind in [ErrorKind::Unavailable, ErrorKind::Unknown, ErrorKind::Corrupt] {
            let (timer, store) = clock_and_store();
            let limiter = limiting("5/h", &timer, &store).on_outage(policy.clone()).build().unwrap();
            let permit = limiter.acquire("key").unwrap();
            let (less, more) = (limiter.request("key").reserve().unwrap(), limiter.request("key").reserve().unwrap());
            store.fail(Failure::of(kind));
            let errors = [
                limiter.peek("key").unwrap_err(),
                limiter.penalize("key", 1).unwrap_err(),
                limiter.hold("key", SECOND).unwrap_err(),
                limiter.reset("key").unwrap_err(),
                limiter.list("", None, 10).unwrap_err(),
                limiter.refund(permit).unwrap_err(),
                less.settle(0).unwrap_err(),
                more.settle(2).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), kind, "{policy:?}");
            }
            store.recover();
            assert_eq!(limiter.try_acquire("key").unwrap().source(), Source::Store, "it is no outage to acquires");
            assert_eq!(store.used("key", "5/h"), 4);
        }
    }
}

#[test]
fn promise_8_a_permit_of_fail_open_gives_nothing_back_and_asks_no_store() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("2/h", &timer, &store).on_outage(OutagePolicy::FailOpen).build().unwrap();
    let _held = limiter.request("key").weight(2).acquire().unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    let permits = [limiter.acquire("key").unwrap(), limiter.acquire("key").unwrap()];
    let reservations = [0, 1, 2, 7].map(|units| (units, limiter.request("key").weight(2).reserve().unwrap()));
    let dropped = limiter.request("key").reserve().unwrap();
    store.recover();
    let calls = store.calls();
    for permit in permits {
        assert_eq!(limiter.refund(permit).unwrap(), 0);
    }
    for (units, reservation) in reservations {
        reservation.settle(units).unwrap();
    }
    drop(dropped);
    assert_eq!((store.calls(), store.used("key", "2/h")), (calls, 2));
}

#[test]
fn promise_8_a_permit_of_the_fallback_goes_back_to_it() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("5/h", &timer, &store).on_outage(local("4/h")).build().unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    let permit = limiter.request("key").weight(4).acquire().unwrap();
    assert!(!limiter.try_acquire("key").unwrap().is_admitted());
    let calls = store.calls();
    assert_eq!(limiter.refund(permit).unwrap(), 4);
    // Less than reserved, more than reserved, nothing said.
    let remaining = || match limiter.detailed("key").unwrap() {
        scupper::Detailed { decision: Decision::Admitted(permit), snapshot, .. } => {
            assert_eq!(limiter.refund(permit).unwrap(), 1);
            snapshot.remaining() + 1
        }
        other => panic!("{other:?}"),
    };
    let reservation = limiter.request("key").weight(3).reserve().unwrap();
    assert_eq!(remaining(), 1);
    reservation.settle(1).unwrap();
    assert_eq!(remaining(), 3);
    limiter.request("key").weight(1).reserve().unwrap().settle(2).unwrap();
    assert_eq!(remaining(), 1);
    drop(limiter.request("key").weight(1).reserve().unwrap());
    assert_eq!(remaining(), 1);
    assert_eq!((store.calls(), store.used("key", "5/h")), (calls, 0));
}

#[test]
fn promise_8_a_permit_of_the_fallback_never_goes_back_to_a_store_that_did_not_give_it() {
    let (timer, store) = clock_and_store();
    let with = limiting("5/h", &timer, &store).on_outage(local("4/h")).build().unwrap();
    let without = limiting("5/h", &timer, &store).build().unwrap();
    let _held = without.acquire("key").unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable));
    let permit = with.acquire("key").unwrap();
    store.recover();
    assert_eq!(without.refund(permit).unwrap(), 0);
    assert_eq!(store.used("key", "5/h"), 1);
}

#[test]
fn promise_8_detailed_requests_are_ruled_alike() {
    for outage in OUTAGES.map(|outage| outage()) {
        for policy in policies() {
            let (timer, store) = clock_and_store();
            let limiter = limiting("5/h", &timer, &store).on_outage(policy.clone()).build().unwrap();
            begin(outage, &store);
            for _ in 0..2 {
                let detailed = outcome(Task::new(limiter.request("key").detailed_async()), &timer);
                if policy == OutagePolicy::Error {
                    assert!(matches!(detailed.unwrap_err().kind(), ErrorKind::Unavailable | ErrorKind::Unknown));
                    continue;
                }
                let detailed = detailed.unwrap();
                let (source, is_admitted, usage) = match policy {
                    OutagePolicy::FailOpen => (Source::FailOpen, true, 0),
                    OutagePolicy::FailClosed => (Source::FailClosed, false, 0),
                    _ => (Source::Fallback, true, 1),
                };
                assert_eq!((detailed.decision.source(), detailed.decision.is_admitted()), (source, is_admitted));
                assert_eq!((detailed.snapshot.usage.len(), detailed.snapshot.now), (usage, timer.now()));
            }
            let calls = if policy == OutagePolicy::Error { 2 } else { 1 };
            assert_eq!(store.calls(), calls, "{policy:?}");
        }
    }
}

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

#[test]
fn promise_8_who_waits_under_fail_closed_is_served_once_the_store_is_back() {
    for outage in OUTAGES.map(|outage| outage()) {
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
    for outage in OUTAGES.map(|outage| outage()) {
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
fn promise_8_part_of_a_batch_that_fails_is_ruled_by_the_policy_and_the_rest_by_the_store() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("5/h", &timer, &store).on_outage(OutagePolicy::FailOpen).build().unwrap();
    store.fail(Failure::of(ErrorKind::Unavailable).only_of(Kind::Refund));
    let permit = limiter.acquire("key").unwrap();
    assert_eq!(limiter.refund(permit).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(limiter.try_acquire("key").unwrap().source(), Source::Store, "refunds alone fail");
    assert_eq!(store.used("key", "5/h"), 2);
}

#[test]
fn promise_8_a_look_that_fails_spoils_no_decision() {
    for policy in policies() {
        for answers in [Answers::AtOnce, Answers::Later] {
            for kind in [ErrorKind::Unavailable, ErrorKind::Corrupt] {
                let (timer, store) = clock_and_store();
                let limiter = limiting("1/h", &timer, &store).on_outage(policy.clone()).build().unwrap();
                store.fail(Failure::of(kind).only_of(Kind::Peek));
                store.answer(answers);
                for is_admitted in [true, false] {
                    let mut task = Task::new(limiter.request("key").detailed_async());
                    store.deliver_all();
                    let detailed = task.output().unwrap();
                    assert_eq!(detailed.decision.is_admitted(), is_admitted, "{policy:?}");
                    assert_eq!((detailed.decision.source(), detailed.snapshot.usage.len()), (Source::Store, 0));
                    timer.advance(SECOND);
                }
            }
        }
    }
}
