//! What becomes of requests when the store cannot tell, under each policy.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::Duration;

use scupper::{Cause, Decision, ErrorKind, OutagePolicy, Source, Timer};
use support::{
    Answers, Failure, HOUR, Kind, MILLISECOND, OUTAGES, Outage, SECOND, TICK, Task, acquire, admitted, ask, begin,
    clock_and_store, denied, end, limiting, local, outcome,
};

const OTHER_ERRORS: [ErrorKind; 4] =
    [ErrorKind::Capacity, ErrorKind::AlgorithmMismatch, ErrorKind::Corrupt, ErrorKind::Unsupported];

fn policies() -> [OutagePolicy; 4] {
    [OutagePolicy::Error, OutagePolicy::FailOpen, OutagePolicy::FailClosed, local("2/h")]
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
