//! What is given back, settled, taken besides, and held to other rates.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use scupper::{Algorithm, Cause, Decision, ErrorKind, Limiter, ManualTimer, Quota, Rate, Routed};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_micros(1);

fn limiter(algorithm: Algorithm, rates: &str, timer: &ManualTimer) -> Limiter {
    Limiter::builder().quota(&Quota::new(algorithm, rates).unwrap()).timer(timer.clone()).build().unwrap()
}

fn used(limiter: &Limiter) -> u64 {
    limiter.peek("key").unwrap().usage[0].used
}

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_reservation_is_settled_for_what_it_did_cost() {
    for algorithm in Algorithm::ALL {
        let limiter = limiter(algorithm, "100/h", &ManualTimer::new());
        let mut expected = 0;
        for (reserved, cost) in [(40, 10), (30, 30), (10, 0), (20, 75)] {
            let reservation = limiter.request("key").weight(reserved).reserve().unwrap();
            assert_eq!(reservation.weight(), reserved);
            assert_eq!(used(&limiter), expected + reserved, "under {algorithm}");
            reservation.settle(cost).unwrap();
            expected += cost;
            assert_eq!(used(&limiter), expected, "{reserved} reserved, {cost} used, under {algorithm}");
        }
        // A debt of fifteen: nobody is admitted before it has left.
        assert!(!limiter.try_acquire("key").unwrap().is_admitted());
    }
}

#[test]
fn a_settlement_below_the_reservation_leaves_the_rest_counted_when_it_was_admitted() {
    let timer = ManualTimer::new();
    let limiter = limiter(Algorithm::SlidingWindowLog, "10/s", &timer);
    let reservation = limiter.request("key").weight(10).reserve().unwrap();
    timer.advance(SECOND / 2);
    reservation.settle(4).unwrap();
    timer.advance(SECOND / 2);
    assert_eq!(used(&limiter), 4);
    timer.advance(TICK);
    assert_eq!(used(&limiter), 0, "not counted from the settlement on");
}

#[test]
fn a_reservation_that_is_dropped_unsettled_is_given_back() {
    for algorithm in Algorithm::ALL {
        let limiter = limiter(algorithm, "10/h", &ManualTimer::new());
        let reservation = pollster::block_on(limiter.request("key").weight(10).reserve_async()).unwrap();
        let mut waiting = pin!(limiter.acquire_async("key"));
        assert!(poll(waiting.as_mut()).is_pending());
        drop(reservation.into_owned());
        assert!(poll(waiting.as_mut()).is_ready(), "it serves the line, under {algorithm}");
        assert_eq!(used(&limiter), 1);
    }
}

#[test]
fn a_settlement_serves_the_line() {
    let limiter = limiter(Algorithm::SlidingWindowLog, "10/h", &ManualTimer::new());
    let reservation = limiter.request("key").weight(10).reserve().unwrap();
    let mut waiting = pin!(limiter.request("key").weight(7).acquire_async());
    assert!(poll(waiting.as_mut()).is_pending());
    pollster::block_on(reservation.settle_async(3)).unwrap();
    assert!(poll(waiting.as_mut()).is_ready());
    assert_eq!(used(&limiter), 10);
}

#[test]
fn what_cannot_be_settled_is_an_error_and_stays_charged() {
    let limiter = limiter(Algorithm::SlidingWindowLog, "10/h", &ManualTimer::new());
    let reservation = limiter.request("key").weight(4).reserve().unwrap();
    let error = reservation.settle(Rate::MAX_LIMIT + 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(used(&limiter), 4);
    assert_eq!(limiter.request("key").weight(11).reserve().unwrap_err().kind(), ErrorKind::NeverFits);
    let late = limiter.request("key").weight(7).timeout(Duration::ZERO).reserve();
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(used(&limiter), 4);
}

#[test]
fn a_reservation_from_before_a_reset_changes_nothing() {
    let limiter = limiter(Algorithm::SlidingWindowLog, "10/h", &ManualTimer::new());
    let (dropped, settled) =
        (limiter.request("key").weight(4).reserve().unwrap(), limiter.request("key").weight(4).reserve().unwrap());
    limiter.reset("key").unwrap();
    let _new = limiter.acquire("key").unwrap();
    drop(dropped);
    settled.settle(1).unwrap();
    assert_eq!(used(&limiter), 1);
}

#[test]
fn other_rates_count_what_was_admitted_before() {
    for algorithm in Algorithm::ALL {
        let timer = ManualTimer::new();
        let limiter = limiter(algorithm, "2/h", &timer);
        let handle = limiter.bucket("key").unwrap();
        assert!(handle.try_acquire().unwrap().is_admitted() && handle.try_acquire().unwrap().is_admitted());
        assert!(!handle.try_acquire().unwrap().is_admitted());
        limiter.clone().set_rates("4/h").unwrap();
        assert_eq!(handle.quota(), Quota::new(algorithm, "4/h").unwrap());
        let used = limiter.peek("key").unwrap().usage[0];
        assert_eq!((used.used, used.rate), (2, "4/h".parse().unwrap()), "under {algorithm}");
        assert!(handle.try_acquire().unwrap().is_admitted() && limiter.try_acquire("key").unwrap().is_admitted());
        let fresh = limiter.bucket("key").unwrap();
        let denials = [handle.try_acquire(), limiter.try_acquire("key"), fresh.try_acquire()];
        assert!(denials.iter().all(|decision| !decision.as_ref().unwrap().is_admitted()), "under {algorithm}");
        limiter.set_rates("1/h").unwrap();
        let Decision::Denied(denied) = handle.try_acquire().unwrap() else { panic!("four of one are used") };
        assert_eq!(denied.binding_rate(), Some("1/h".parse().unwrap()));
    }
}

#[test]
fn those_who_wait_are_held_to_other_rates_at_once() {
    let timer = ManualTimer::new();
    let limiter = limiter(Algorithm::SlidingWindowLog, "2/h", &timer);
    limiter.request("key").weight(2).acquire().unwrap();
    let mut light = pin!(limiter.acquire_async("key"));
    let mut heavy = pin!(limiter.request("key").weight(2).acquire_async());
    assert!(poll(light.as_mut()).is_pending() && poll(heavy.as_mut()).is_pending());
    limiter.set_rates("3/h").unwrap();
    assert!(poll(light.as_mut()).is_ready());
    assert!(poll(heavy.as_mut()).is_pending());
    limiter.set_rates("1/min").unwrap();
    let Poll::Ready(Err(error)) = poll(heavy.as_mut()) else { panic!("two of one a minute never fit") };
    assert_eq!(error.kind(), ErrorKind::NeverFits);
}

#[test]
fn those_who_wait_under_a_quota_of_their_own_keep_it() {
    let limiter = limiter(Algorithm::SlidingWindowLog, "1/h", &ManualTimer::new());
    let own = limiter.bucket_under("key", &Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap()).unwrap();
    let _first = limiter.acquire("key").unwrap();
    let mut own_waits = pin!(own.acquire_async());
    let mut follower = pin!(limiter.acquire_async("key"));
    assert!(poll(own_waits.as_mut()).is_pending() && poll(follower.as_mut()).is_pending());
    limiter.set_rates("9/h").unwrap();
    assert!(poll(own_waits.as_mut()).is_pending(), "its rates are not the limiter's");
    assert!(poll(follower.as_mut()).is_pending(), "it stands behind");
}

#[test]
fn rates_that_cannot_be_set_change_nothing() {
    let timer = ManualTimer::new();
    let plain = limiter(Algorithm::SlidingWindowLog, "2/h", &timer);
    for rates in ["", "5/h, 4/h", "2/h+7"] {
        assert_eq!(plain.set_rates(rates).unwrap_err().kind(), ErrorKind::InvalidRate, "{rates}");
    }
    assert_eq!(plain.peek("key").unwrap().remaining(), 2);
    let quota = Quota::new(Algorithm::SlidingWindowLog, "2/h").unwrap();
    let routed =
        Limiter::builder().route(move |request| Ok(Routed::new(request.key(), quota.clone()))).build().unwrap();
    let error = routed.set_rates("3/h").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.message().contains("route"), "{error}");
}

#[test]
fn one_limiters_other_rates_are_its_own() {
    let timer = ManualTimer::new();
    let store = scupper::MemoryStore::builder().timer(timer.clone()).build();
    let build = || Limiter::builder().rates(["2/h".parse().unwrap()]).store(store.clone()).timer(timer.clone()).build();
    let (changing, other) = (build().unwrap(), build().unwrap());
    let handle = other.bucket("key").unwrap();
    changing.set_rates("5/h").unwrap();
    assert!(handle.try_acquire().unwrap().is_admitted() && other.try_acquire("key").unwrap().is_admitted());
    assert!(!handle.try_acquire().unwrap().is_admitted() && !other.try_acquire("key").unwrap().is_admitted());
    assert!(changing.try_acquire("key").unwrap().is_admitted());
}

#[test]
fn a_hold_delays_the_line_and_a_penalty_does_too() {
    let timer = ManualTimer::new();
    let limiter = limiter(Algorithm::SlidingWindowLog, "1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    let mut waiting = pin!(limiter.acquire_async("key"));
    assert!(poll(waiting.as_mut()).is_pending());
    limiter.hold("key", 5 * SECOND).unwrap();
    timer.advance(SECOND + TICK);
    assert!(poll(waiting.as_mut()).is_pending());
    limiter.penalize("key", 1).unwrap();
    timer.advance(4 * SECOND);
    let Poll::Ready(Ok(permit)) = poll(waiting.as_mut()) else { panic!("the hold is over, and the penalty has left") };
    assert_eq!(permit.tick().as_micros(), 5_000_001);
    limiter.hold("key", SECOND).unwrap();
    let Decision::Denied(denied) = limiter.try_acquire("key").unwrap() else { panic!("it is held") };
    assert_eq!((denied.cause(), denied.retry_after()), (Cause::Full, SECOND + TICK));
}
