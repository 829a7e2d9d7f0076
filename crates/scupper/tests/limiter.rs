//! The limiter as its users see it, on the store in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use scupper::{
    Alarm, Algorithm, Cause, Decision, Error, ErrorKind, Limiter, ManualTimer, Permit, Quota, Rate, Routed, Source,
    Timer, Timestamp,
};

const SECOND: Duration = Duration::from_secs(1);

fn limiter(rates: &str, timer: &ManualTimer) -> Limiter {
    Limiter::builder()
        .rates(rates.parse::<scupper::Rates>().unwrap().iter().copied())
        .timer(timer.clone())
        .build()
        .unwrap()
}

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn promise_4_a_blocking_wait_ends_at_the_very_tick() {
    let timer = ManualTimer::auto_advancing();
    let limiter = limiter("2/s, 3/10s", &timer);
    let ticks: Vec<u64> = (0..5).map(|_| limiter.acquire("key").unwrap().tick().as_micros()).collect();
    assert_eq!(ticks, [0, 0, 1_000_001, 10_000_001, 10_000_001]);
}

#[test]
fn promise_4_an_asynchronous_wait_ends_at_the_very_tick() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let first = limiter.acquire("key").unwrap();
    let mut second = pin!(limiter.acquire_async("key"));
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(timer.next_alarm(), Some(first.tick() + SECOND + Duration::from_micros(1)));
    timer.advance(SECOND);
    assert!(poll(second.as_mut()).is_pending(), "a tick too early");
    timer.advance(Duration::from_micros(1));
    let Poll::Ready(Ok(second)) = poll(second.as_mut()) else { panic!("due, and not ready") };
    assert_eq!(second.tick().since(first.tick()), SECOND + Duration::from_micros(1));
}

#[test]
fn promise_5_a_waiter_that_goes_away_leaves_no_trace() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    {
        let mut gone = pin!(limiter.acquire_async("key"));
        assert!(poll(gone.as_mut()).is_pending());
    }
    assert_eq!(timer.alarms(), 0);
    timer.advance(2 * SECOND);
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
}

#[test]
fn a_deadline_that_cannot_be_met_is_answered_at_once() {
    let timer = ManualTimer::new();
    let limiter = limiter("1/s", &timer);
    let _first = limiter.acquire("key").unwrap();
    for timeout in [Duration::ZERO, SECOND] {
        let error = limiter.request("key").timeout(timeout).acquire().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        let error = pollster::block_on(limiter.request("key").timeout(timeout).acquire_async()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 1);
    assert!(limiter.request("other").timeout(Duration::ZERO).acquire().is_ok(), "what fits needs no time");
}

#[test]
fn a_request_that_never_fits_is_told_so_at_once_even_if_it_would_wait() {
    let timer = ManualTimer::new();
    let limiter = limiter("5/s, 7/min", &timer);
    let decision = limiter.request("key").weight(6).try_acquire().unwrap();
    let Decision::NeverFits(never) = decision else { panic!("{decision:?}") };
    assert_eq!((never.weight(), never.rate()), (6, "5/s".parse().unwrap()));
    assert_eq!(limiter.request("key").weight(6).acquire().unwrap_err().kind(), ErrorKind::NeverFits);
    let waiting = limiter.request("key").weight(Rate::MAX_LIMIT).acquire_async();
    assert_eq!(pollster::block_on(waiting).unwrap_err().kind(), ErrorKind::NeverFits);
    assert!(limiter.request("key").weight(5).try_acquire().unwrap().is_admitted(), "nothing was taken");
}

#[test]
fn bad_input_is_an_error_and_takes_nothing() {
    let timer = ManualTimer::new();
    let limiter = limiter("5/s", &timer);
    let long = "k".repeat(64 * 1024 + 1);
    let errors: [Error; 5] = [
        limiter.request("key").weight(0).try_acquire().unwrap_err(),
        limiter.request("key").weight(Rate::MAX_LIMIT + 1).acquire().unwrap_err(),
        limiter.request("key").weight(u64::MAX).detailed().unwrap_err(),
        limiter.penalize("key", 0).unwrap_err(),
        limiter.try_acquire(&long).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(!error.is_transient());
    }
    assert!(limiter.try_acquire(&long[1..]).unwrap().is_admitted());
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 0);
}

#[test]
fn the_first_request_at_tick_zero_counts_once() {
    let timer = ManualTimer::new();
    let limiter = limiter("3/s", &timer);
    let bucket = limiter.bucket("key").unwrap();
    let permit = bucket.try_acquire().unwrap();
    assert!(
        matches!(&permit, Decision::Admitted(permit) if permit.tick() == Timestamp::ZERO && permit.sequence() == 1)
    );
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 2);
}

#[test]
fn a_handle_and_its_key_are_one_bucket_under_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let limiter = Limiter::builder().algorithm(algorithm).rate(Rate::per_hour(10).unwrap()).build().unwrap();
        assert!(limiter.request("key").weight(3).try_acquire().unwrap().is_admitted());
        let (bucket, again) = (limiter.bucket("key").unwrap(), limiter.bucket("key").unwrap());
        let permit = bucket.acquire().unwrap();
        assert!(again.request().weight(5).try_acquire().unwrap().is_admitted());
        assert!(limiter.try_acquire("key").unwrap().is_admitted());
        let Decision::Denied(denied) = bucket.try_acquire().unwrap() else { panic!("10 of 10 are taken") };
        assert_eq!((denied.cause(), denied.source()), (Cause::Full, Source::Store));
        assert!(!limiter.try_acquire("key").unwrap().is_admitted());
        // Known to be full without a look at the bucket, until something is given back.
        assert!(!bucket.try_acquire().unwrap().is_admitted());
        assert_eq!(limiter.refund(permit).unwrap(), 1);
        assert!(bucket.try_acquire().unwrap().is_admitted());
        assert!(!again.try_acquire().unwrap().is_admitted());
        assert!(limiter.reset("key").unwrap());
        assert!(bucket.try_acquire().unwrap().is_admitted());
        limiter.hold("key", SECOND).unwrap();
        assert!(matches!(bucket.try_acquire().unwrap(), Decision::Denied(denied) if denied.cause() == Cause::Held));
    }
}

#[test]
fn a_single_bucket_counts_all_keys_together() {
    let limiter = Limiter::builder().rate(Rate::per_hour(2).unwrap()).single_bucket("all").build().unwrap();
    let Decision::Admitted(permit) = limiter.try_acquire("one").unwrap() else { panic!("the first of two") };
    assert_eq!(permit.key(), "all");
    assert!(limiter.try_acquire("two").unwrap().is_admitted());
    assert!(!limiter.try_acquire("three").unwrap().is_admitted());
}

#[test]
fn a_route_chooses_bucket_rates_and_algorithm_and_its_errors_reach_the_caller() {
    let gcra = Quota::new(Algorithm::Gcra, "1/h+2".parse::<Rate>().unwrap()).unwrap();
    let log = Quota::new(Algorithm::SlidingWindowLog, Rate::per_hour(1).unwrap()).unwrap();
    let limiter = Limiter::builder()
        .route(move |request| match request.key() {
            "" => Err(Error::new(ErrorKind::InvalidRequest, "who asks?")),
            key if request.weight() > 1 => Ok(Routed::new(format!("heavy:{key}"), gcra.clone())),
            key => Ok(Routed::new(key, log.clone())),
        })
        .build()
        .unwrap();
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
    assert!(!limiter.try_acquire("key").unwrap().is_admitted());
    let Decision::Admitted(heavy) = limiter.request("key").weight(2).try_acquire().unwrap() else { panic!("a burst") };
    assert_eq!(heavy.key(), "heavy:key");
    assert_eq!(limiter.refund(heavy).unwrap(), 2);
    assert_eq!(limiter.try_acquire("").unwrap_err().message(), "who asks?");
    let error = Limiter::builder().rate(Rate::per_hour(1).unwrap()).route(|_| unreachable!()).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[test]
fn a_detailed_decision_shows_the_bucket_as_it_was_left() {
    let timer = ManualTimer::new();
    let limiter = limiter("2/s, 3/min", &timer);
    let detailed = limiter.detailed("key").unwrap();
    assert!(detailed.decision.is_admitted());
    let usage: Vec<_> = detailed.snapshot.usage.iter().map(|usage| (usage.used, usage.remaining)).collect();
    assert_eq!(usage, [(1, 1), (1, 2)]);
    assert_eq!(detailed.snapshot.usage[1].reset_at, Timestamp::from_micros(60_000_001));
    let denied = pollster::block_on(limiter.request("key").weight(2).detailed_async()).unwrap();
    assert_eq!(denied.decision.retry_after(), Some(SECOND + Duration::from_micros(1)));
    assert_eq!(denied.snapshot.usage[0].used, 1);
}

/// A clock that no two readings see at the same tick.
#[derive(Clone, Debug, Default)]
struct Turnstile(Arc<AtomicU64>);

impl Timer for Turnstile {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn wake_at(&self, _at: Timestamp, _waker: Waker) -> scupper::Result<Alarm> {
        Ok(Alarm::gone_off())
    }
}

/// Admissions of one key from four threads, by handle and by key, in the order of the bucket.
fn hammer(limiter: &Limiter, rounds: usize) -> Vec<(u64, u64)> {
    let admitted = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                scope.spawn(move || {
                    let bucket = limiter.bucket("key").unwrap();
                    let mut admitted = Vec::new();
                    for round in 0..rounds {
                        let by_key = (thread + round) % 2 == 0;
                        let decision = if by_key { limiter.try_acquire("key") } else { bucket.try_acquire() };
                        if let Decision::Admitted(permit) = decision.unwrap() {
                            admitted.push((permit.sequence(), permit.tick().as_micros()));
                        }
                    }
                    admitted
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let mut admitted = admitted;
    admitted.sort_unstable();
    admitted
}

#[test]
fn promise_1_a_reading_that_was_overtaken_is_no_clock_that_stepped_back() {
    // With a window of one tick every reading that is two ticks late would look like a step back, and move the log.
    let rate = Rate::new(1, Duration::from_micros(1)).unwrap();
    let by_hand = Limiter::builder().rate(rate).timer(Turnstile::default()).build().unwrap();
    let by_system = Limiter::builder().rate(rate).build().unwrap();
    for limiter in [by_hand, by_system] {
        let admitted = hammer(&limiter, 20_000);
        assert!(admitted.len() > 100, "{limiter:?} admitted {}", admitted.len());
        for pair in admitted.windows(2) {
            assert_eq!(pair[1].0, pair[0].0 + 1, "a sequence number is missing or given twice");
            assert!(pair[1].1 > pair[0].1 + 1, "{pair:?} lie in one window under {limiter:?}");
        }
    }
}

#[test]
fn real_time_is_waited_for_by_threads_and_tasks_alike() {
    let interval = Duration::from_millis(2);
    let limiter = Limiter::builder().rate(Rate::new(1, interval).unwrap()).build().unwrap();
    let mut last = limiter.acquire("key").unwrap().tick();
    for round in 0..6 {
        let permit: Permit<'_> = if round % 2 == 0 {
            limiter.acquire("key").unwrap()
        } else {
            pollster::block_on(limiter.acquire_async("key")).unwrap()
        };
        assert!(permit.tick().since(last) > interval);
        last = permit.tick();
    }
}

#[test]
fn limiters_handles_and_futures_go_where_they_are_needed() {
    fn anywhere<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn send<T: Send>(_: T) {}
    let limiter = Limiter::builder().rate(Rate::per_second(5).unwrap()).build().unwrap();
    let bucket = limiter.bucket("key").unwrap();
    anywhere(&limiter);
    anywhere(&bucket);
    send(limiter.acquire_async("key"));
    send(limiter.request("key").try_acquire_async());
    send(bucket.acquire_async());
    let owned: Permit<'static> = limiter.acquire("key").unwrap().into_owned();
    assert_eq!(thread::spawn(move || owned.weight()).join().unwrap(), 1);
}
