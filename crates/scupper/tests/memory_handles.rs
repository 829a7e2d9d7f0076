//! Handles to buckets in memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::time::Duration;

use scupper::{Algorithm, Bucket, Cause, Decision, Limiter, ManualTimer, MemoryStore, Rate};

const KEY: &str = "user:42";

fn limiter(timer: &ManualTimer) -> (MemoryStore, Limiter) {
    let store = MemoryStore::builder().timer(timer.clone()).build();
    (store.clone(), on(&store, timer, 2, Algorithm::default()))
}

fn on(store: &MemoryStore, timer: &ManualTimer, limit: u64, algorithm: Algorithm) -> Limiter {
    let builder = Limiter::builder().algorithm(algorithm).rate(Rate::per_second(limit).unwrap());
    builder.store(store.clone()).timer(timer.clone()).build().unwrap()
}

fn cause(bucket: &Bucket) -> Option<Cause> {
    match bucket.try_acquire().unwrap() {
        Decision::Denied(denied) => Some(denied.cause()),
        _ => None,
    }
}

fn fill(bucket: &Bucket) {
    while bucket.try_acquire().unwrap().is_admitted() {}
    assert_eq!(cause(bucket), Some(Cause::Full), "and again without a look");
}

#[test]
fn a_handle_keeps_its_bucket_in_place_and_lets_it_go() {
    let timer = ManualTimer::new();
    let (store, limiter) = limiter(&timer);
    let bucket = limiter.bucket(KEY).unwrap();
    let other = bucket.clone();
    assert!(limiter.try_acquire("someone").unwrap().is_admitted());
    assert!(bucket.try_acquire().unwrap().is_admitted());
    timer.advance(Duration::from_hours(1));
    assert_eq!(store.len(), 1, "the one with handles");
    drop(bucket);
    timer.advance(Duration::from_hours(1));
    assert_eq!(store.len(), 1, "the one with a handle");
    drop(other);
    timer.advance(Duration::from_secs(2));
    assert_eq!(store.len(), 0);
}

#[test]
fn a_bucket_that_owes_outlives_its_handles() {
    let timer = ManualTimer::new();
    let (store, limiter) = limiter(&timer);
    let bucket = limiter.bucket(KEY).unwrap();
    timer.advance(Duration::from_secs(10));
    fill(&bucket);
    drop(bucket);
    timer.advance(Duration::from_secs(1));
    assert_eq!(store.len(), 1);
    assert!(!limiter.try_acquire(KEY).unwrap().is_admitted());
    assert!(!limiter.bucket(KEY).unwrap().try_acquire().unwrap().is_admitted());
    timer.advance(Duration::from_secs(3));
    assert_eq!(store.len(), 0);
}

#[test]
fn a_handle_made_late_finds_what_the_key_owes() {
    let timer = ManualTimer::new();
    let (_store, limiter) = limiter(&timer);
    assert_eq!(limiter.acquire(KEY).unwrap().sequence(), 1);
    let bucket = limiter.bucket(KEY).unwrap();
    assert_eq!(bucket.acquire().unwrap().sequence(), 2);
    assert_eq!(cause(&bucket), Some(Cause::Full));
    assert!(!limiter.try_acquire(KEY).unwrap().is_admitted());
}

#[test]
fn a_handle_outlives_limiter_and_store() {
    let timer = ManualTimer::new();
    let (store, limiter) = limiter(&timer);
    let bucket = limiter.bucket(KEY).unwrap();
    drop((store, limiter));
    fill(&bucket);
    timer.advance(Duration::from_hours(1));
    assert_eq!(cause(&bucket), None);
}

#[test]
fn what_a_handle_knows_of_a_full_bucket_is_forgotten_by_whatever_frees_it() {
    for algorithm in Algorithm::ALL {
        let timer = ManualTimer::new();
        let store = MemoryStore::builder().timer(timer.clone()).build();
        let limiter = on(&store, &timer, 2, algorithm);
        let bucket = limiter.bucket(KEY).unwrap();

        fill(&bucket);
        assert!(limiter.reset(KEY).unwrap());
        assert_eq!(cause(&bucket), None, "after a reset under {algorithm}");

        let Decision::Admitted(permit) = bucket.try_acquire().unwrap() else { panic!("two fit") };
        fill(&bucket);
        assert_eq!(limiter.refund(permit).unwrap(), 1);
        assert_eq!(cause(&bucket), None, "after a refund under {algorithm}");

        fill(&bucket);
        timer.advance(Duration::from_micros(1_000_001));
        assert_eq!(cause(&bucket), None, "after a wait under {algorithm}");

        fill(&bucket);
        let looser = on(&store, &timer, 3, algorithm).bucket(KEY).unwrap();
        assert_eq!(cause(&looser), None, "for a looser rate under {algorithm}");
        assert_eq!(cause(&looser), Some(Cause::Full));
        assert_eq!(cause(&bucket), Some(Cause::Full));
    }
}

#[test]
fn what_binds_a_key_binds_its_handles() {
    let timer = ManualTimer::new();
    let (_store, limiter) = limiter(&timer);
    let bucket = limiter.bucket(KEY).unwrap();
    limiter.hold(KEY, Duration::from_secs(5)).unwrap();
    assert_eq!(cause(&bucket), Some(Cause::Held));
    limiter.reset(KEY).unwrap();
    assert_eq!(cause(&bucket), None);
    limiter.penalize(KEY, 7).unwrap();
    assert_eq!(cause(&bucket), Some(Cause::Full));
    fill(&bucket);
    limiter.hold(KEY, Duration::from_secs(5)).unwrap();
    let Decision::Denied(denied) = bucket.try_acquire().unwrap() else { panic!("held") };
    assert_eq!((denied.cause(), denied.retry_after()), (Cause::Held, Duration::from_secs(5)));
}

#[test]
fn a_handle_sees_a_clock_that_steps_back() {
    let timer = ManualTimer::new();
    timer.advance(Duration::from_hours(10));
    let (_store, limiter) = limiter(&timer);
    let bucket = limiter.bucket(KEY).unwrap();
    fill(&bucket);
    timer.set(scupper::Timestamp::ZERO + Duration::from_hours(9));
    let Decision::Denied(denied) = bucket.try_acquire().unwrap() else { panic!("a step back frees nothing") };
    assert_eq!(denied.retry_after(), Duration::from_micros(1_000_001));
    timer.advance(denied.retry_after());
    assert_eq!(cause(&bucket), None);
}
