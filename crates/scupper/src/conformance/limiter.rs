//! A limiter on the store: what users call.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::conformance::kit::{admitted, denied, log, micros, quota, under_each};
use crate::conformance::subject::{Subject, at_once};
use crate::decision::{Decision, Denied};
use crate::error::ErrorKind;
use crate::limiter::Limiter;
use crate::permit::Permit;
use crate::quota::Algorithm;
use crate::rate::Rate;
use crate::store::{Action, Admission, Cause, Operation, Reply};

fn permit<'a>(subject: &Subject, limiter: &'a Limiter, key: &'a str, weight: u64) -> Permit<'a> {
    match subject.try_now(limiter.request(key).weight(weight)).unwrap() {
        Decision::Admitted(permit) => permit,
        other => panic!("not admitted: {other:?}"),
    }
}

fn denial(subject: &Subject, limiter: &Limiter, key: &str, weight: u64) -> Denied {
    match subject.try_now(limiter.request(key).weight(weight)).unwrap() {
        Decision::Denied(denied) => denied,
        other => panic!("not denied: {other:?}"),
    }
}

/// Decide, look, decide and look: used and remaining are those of the store.
pub fn decisions_and_looks_agree(subject: &Subject) {
    for quota in under_each("5/4w, 6/8w") {
        let (limiter, key) = (subject.limiter(&quota), subject.fresh_key());
        assert_eq!(subject.peek(&limiter, &key).usage[0].remaining, 5);
        let first = permit(subject, &limiter, &key, 3);
        assert_eq!((first.key(), first.weight(), first.sequence()), (&*key, 3, 3));
        let detailed = subject.detail(limiter.request(&key).weight(2)).unwrap();
        assert!(detailed.decision.is_admitted());
        assert_eq!(detailed.snapshot.usage.iter().map(|usage| usage.remaining).collect::<Vec<_>>(), [0, 1], "{quota}");
        let look = subject.peek(&limiter, &key);
        assert_eq!(look.usage.iter().map(|usage| usage.used).collect::<Vec<_>>(), [5, 5]);
        let denied = denial(subject, &limiter, &key, 1);
        assert_eq!((denied.cause(), denied.binding_rate()), (Cause::Full, Some(quota.rates()[0])));
        assert!(denied.retry_after() > Duration::ZERO);
        assert_eq!(list(&limiter, &key), [key.as_str()]);
    }
}

fn list(limiter: &Limiter, prefix: &str) -> Vec<String> {
    let mut page = limiter.list(prefix, None, 10).unwrap();
    let mut keys = page.keys;
    while let Some(next) = page.next {
        page = limiter.list(prefix, Some(&next), 10).unwrap();
        keys.append(&mut page.keys);
    }
    keys
}

/// What is given back is there again, whole and once; after a reset there is nothing to give back.
pub fn refund_and_reset_give_back(subject: &Subject) {
    for quota in under_each("5/4w") {
        let (limiter, key) = (subject.limiter(&quota), subject.fresh_key());
        let first = permit(subject, &limiter, &key, 2).into_owned();
        let second = permit(subject, &limiter, &key, 3);
        denial(subject, &limiter, &key, 1);
        let back = subject.refund(&limiter, second);
        assert!(back == 3 || (back == 2 && quota.algorithm() == Algorithm::Gcra), "{back} under {quota}");
        permit(subject, &limiter, &key, back);
        denial(subject, &limiter, &key, 2);
        assert!(limiter.reset(&key).unwrap());
        assert_eq!(subject.refund(&limiter, first), 0, "under {quota}");
        permit(subject, &limiter, &key, 5);
    }
}

/// The last units of a permit can be given back without the others.
pub fn a_part_of_a_permit_can_be_given_back(subject: &Subject) {
    for quota in under_each("9/4w") {
        let key = subject.fresh_key();
        let admission = admitted(subject.acquire(&Operation::acquire(&key, &quota, 7)));
        let _later = admitted(subject.acquire(&Operation::acquire(&key, &quota, 1)));
        let part = Operation::new(&key, Action::Refund(Admission { weight: 5, ..admission }));
        assert_eq!(subject.reply(&part), Reply::Refunded(5), "under {quota}");
        // What drains meanwhile under GCRA is a part of a unit, and a part is counted as one.
        assert_eq!(subject.look(&key, &quota, None).usage[0].used, 3, "under {quota}");
        admitted(subject.acquire(&Operation::acquire(&key, &quota, 6)));
        denied(subject.acquire(&Operation::acquire(&key, &quota, 1)));
    }
}

/// A penalty is a debt; a hold admits nobody until it ends, and the longer of two holds counts.
pub fn penalties_and_holds_deny(subject: &Subject) {
    for quota in under_each("5/4w") {
        let (limiter, key) = (subject.limiter(&quota), subject.fresh_key());
        limiter.penalize(&key, 4).unwrap();
        permit(subject, &limiter, &key, 1);
        limiter.penalize(&key, 100).unwrap();
        assert_eq!(denial(subject, &limiter, &key, 1).cause(), Cause::Full);
        let held = subject.fresh_key();
        let until = limiter.hold(&held, Duration::from_hours(2)).unwrap();
        assert_eq!(limiter.hold(&held, Duration::from_hours(1)).unwrap(), until, "an earlier, longer hold stays");
        let denied = denial(subject, &limiter, &held, 1);
        assert_eq!((denied.cause(), denied.binding_rate()), (Cause::Held, None));
        assert_eq!(subject.peek(&limiter, &held).held_until, Some(until));
        assert!(limiter.reset(&held).unwrap());
        permit(subject, &limiter, &held, 5);
    }
}

/// Who waits is admitted at the first tick that has room, and on a manual clock at no other.
pub fn promise_4_waiting_ends_at_the_first_tick_with_room(subject: &Subject) {
    for quota in under_each("2/40ms, 3/200ms") {
        let (limiter, key) = (subject.limiter(&quota), subject.fresh_key());
        for weight in [2, 1, 2, 1, 1, 2] {
            let decision = subject.try_now(limiter.request(&key).weight(weight)).unwrap();
            let expected = decision.retry_after().map(|retry_after| subject.now(&quota) + retry_after).unwrap();
            let got = subject.wait_for(limiter.request(&key).weight(weight)).unwrap();
            assert_eq!(got.weight(), weight);
            if subject.is_on_manual_time() {
                let is_exact = got.tick() == expected || decision.is_admitted();
                assert!(is_exact, "{weight} under {quota}: at {}, expected {expected}", got.tick());
            }
        }
    }
    let once = log("1/50ms");
    let (limiter, key) = (subject.limiter(&once), subject.fresh_key());
    let mut last = subject.wait_for(limiter.request(&key)).unwrap().tick();
    for _ in 0..4 {
        let next = subject.wait_for(limiter.request(&key)).unwrap().tick();
        let pause = micros(next.since(last));
        assert!(pause > 50_000, "{pause} µs after the one before");
        assert!(!subject.is_on_manual_time() || pause == 50_001, "{pause} µs after the one before");
        last = next;
    }
}

/// Whoever waits for a held bucket waits for the end of the hold.
pub fn waiting_outlasts_a_hold(subject: &Subject) {
    let (limiter, key) = (subject.limiter(&log("5/s")), subject.fresh_key());
    let until = limiter.hold(&key, Duration::from_millis(60)).unwrap();
    let tick = subject.wait_for(limiter.request(&key)).unwrap().tick();
    assert!(tick >= until && (tick == until || !subject.is_on_manual_time()), "{tick} for a hold until {until}");
}

/// A deadline that cannot be met ends the wait at once, also one of zero; nothing is taken.
pub fn promise_5_a_deadline_that_cannot_be_met_returns_at_once(subject: &Subject) {
    for quota in under_each("1/4w") {
        let (limiter, key) = (subject.limiter(&quota), subject.fresh_key());
        let none = limiter.request(&key).timeout(Duration::ZERO);
        subject.wait_for(none).expect("there is room, so there is nothing to wait for");
        let before = subject.now(&quota);
        for timeout in [Duration::ZERO, Duration::from_secs(1), Duration::from_hours(1)] {
            let late = at_once(|| subject.wait_for(limiter.request(&key).timeout(timeout)));
            assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout, "{timeout:?} under {quota}");
        }
        assert!(!subject.is_on_manual_time() || subject.now(&quota) == before, "nobody slept");
        assert_eq!(subject.peek(&limiter, &key).usage[0].used, 1, "nothing was taken");
    }
}

/// A deadline at the very tick of the retry is met.
pub fn promise_4_a_deadline_that_just_suffices_is_met(subject: &Subject) {
    let once = quota(Algorithm::SlidingWindowLog, "1/30ms");
    let (limiter, key) = (subject.limiter(&once), subject.fresh_key());
    subject.wait_for(limiter.request(&key)).unwrap();
    if subject.is_on_manual_time() {
        let short = subject.wait_for(limiter.request(&key).timeout(Duration::from_millis(30)));
        assert_eq!(short.unwrap_err().kind(), ErrorKind::Timeout, "a tick is missing");
        subject.wait_for(limiter.request(&key).timeout(Duration::from_micros(30_001))).unwrap();
    } else {
        subject.wait_for(limiter.request(&key).timeout(Duration::from_hours(1))).unwrap();
    }
}

/// What can never be, is said at once, even to those who would wait.
pub fn what_never_fits_or_cannot_be_is_said_at_once(subject: &Subject) {
    for quota in under_each("5/s, 7/min") {
        let (limiter, key) = (subject.limiter(&quota), subject.fresh_key());
        let Decision::NeverFits(never) = subject.try_now(limiter.request(&key).weight(6)).unwrap() else {
            panic!("six units never fit {quota}");
        };
        assert_eq!((never.weight(), never.rate()), (6, quota.rates()[0]));
        let waited = at_once(|| subject.wait_for(limiter.request(&key).weight(6)));
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::NeverFits);
        for weight in [0, Rate::MAX_LIMIT + 1, u64::MAX] {
            let error = subject.try_now(limiter.request(&key).weight(weight)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert_eq!(limiter.penalize(&key, weight).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
        let long = "x".repeat(64 * 1024 + 1);
        assert_eq!(subject.try_now(limiter.request(&long)).unwrap_err().kind(), ErrorKind::InvalidRequest);
        // The shortest way, which a store may answer by itself.
        assert_eq!(limiter.try_acquire(&long).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(subject.peek(&limiter, &key).usage[0].used, 0);
        permit(subject, &limiter, &key, 5);
    }
}

/// A waiter that goes away before it is admitted has taken nothing.
pub fn promise_5_a_waiter_that_goes_away_leaves_no_trace(subject: &Subject) {
    let (limiter, key) = (subject.limiter_at_rest(&log("2/4w")), subject.fresh_key());
    permit(subject, &limiter, &key, 1);
    let before = subject.peek(&limiter, &key).usage;
    {
        let mut waiting = pin!(limiter.request(&key).weight(2).acquire_async());
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(waiting.as_mut().poll(&mut context), Poll::Pending), "there is no room for four weeks");
    }
    assert_eq!(subject.peek(&limiter, &key).usage, before);
    permit(subject, &limiter, &key, 1);
}
