//! Idle buckets leave, whatever happens to clocks, alarms and those who look.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use scupper::store::{Action, Batch, Operation, Reply, Store, Verdict};
use scupper::{Alarm, Algorithm, ErrorKind, Limiter, ManualTimer, MemoryStore, Quota, Result, Timer, Timestamp};

const HOUR: Duration = Duration::from_hours(1);

fn over(store: &MemoryStore, rates: &str) -> Limiter {
    let quota = Quota::new(Algorithm::SlidingWindowLog, rates).unwrap();
    Limiter::builder().quota(&quota).store(store.clone()).build().unwrap()
}

#[test]
fn promise_7_a_bucket_follows_a_clock_that_stepped_back_far_and_leaves() {
    let timer = ManualTimer::new();
    let store = MemoryStore::builder().timer(timer.clone()).build();
    let limiter = over(&store, "1/s");
    timer.advance(8_760 * HOUR);
    assert!(limiter.try_acquire("old").unwrap().is_admitted());
    timer.set(Timestamp::ZERO + Duration::from_secs(1));
    assert!(limiter.try_acquire("new").unwrap().is_admitted());
    for _ in 0..100 {
        timer.advance(Duration::from_secs(2));
    }
    assert!(store.is_empty(), "{} buckets stay for a year", store.len());
}

#[test]
fn promise_7_buckets_that_come_while_others_are_looked_through_leave_too() {
    let timer = ManualTimer::new();
    let store = MemoryStore::builder().timer(timer.clone()).max_keys(3_000).build();
    let (short, long) = (over(&store, "1/s"), over(&store, "1/h"));
    for key in 0..3_000 {
        let limiter = if key % 2 == 0 { &short } else { &long };
        assert!(limiter.try_acquire(&format!("first {key}")).unwrap().is_admitted());
    }
    // The table is full: each new key has room made for it by a walk of its own.
    for round in 0..20 {
        timer.advance(Duration::from_millis(1_100));
        for key in 0..50 {
            assert!(short.try_acquire(&format!("{round} {key}")).unwrap().is_admitted());
        }
    }
    timer.advance(Duration::from_secs(5));
    timer.advance(Duration::from_secs(5));
    assert_eq!(store.len(), 1_500, "the long ones stay, and no other");
    timer.advance(HOUR);
    timer.advance(Duration::from_secs(5));
    assert!(store.is_empty(), "{} are left", store.len());
}

/// A manual clock whose alarms are lost for a while, as when the runtime behind a timer ends.
#[derive(Clone, Debug)]
struct Forgetful {
    timer: ManualTimer,
    loses: Arc<AtomicBool>,
}

impl Timer for Forgetful {
    fn now(&self) -> Timestamp {
        self.timer.now()
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        if self.loses.load(Ordering::Relaxed) { Ok(Alarm::gone_off()) } else { self.timer.wake_at(at, waker) }
    }
}

#[test]
fn promise_7_a_lost_alarm_is_set_again() {
    let timer = Forgetful { timer: ManualTimer::new(), loses: Arc::new(AtomicBool::new(true)) };
    let store = MemoryStore::builder().timer(timer.clone()).build();
    let limiter = over(&store, "1/s");
    assert!(limiter.try_acquire("before").unwrap().is_admitted());
    timer.loses.store(false, Ordering::Relaxed);
    timer.timer.advance(HOUR);
    assert!(limiter.try_acquire("after").unwrap().is_admitted());
    timer.timer.advance(Duration::from_secs(10));
    assert!(store.is_empty(), "{} buckets are forgotten", store.len());
}

#[test]
fn manual_time_may_be_moved_by_many_threads_at_once() {
    let timer = ManualTimer::new();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20_000).for_each(|_| timer.advance(Duration::from_micros(1))));
        }
    });
    assert_eq!(timer.now(), Timestamp::from_micros(80_000));
}

#[test]
fn promise_8_at_capacity_a_run_is_answered_where_no_room_is_needed() {
    let store = MemoryStore::builder().timer(ManualTimer::new()).max_keys(1).build();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
    let acquire = |key| Operation::acquire(key, &quota, 1);
    assert!(matches!(store.submit(Batch::from(&acquire("full"))).wait().remove(0), Ok(Reply::Acquired(_))));
    let run = [
        Operation::new("new", Action::Reset),
        Operation::new("new", Action::Peek { quota: &quota }),
        acquire("new"),
        acquire("full"),
    ];
    let outcomes = store.submit(Batch::new(&run)).wait();
    assert!(matches!(outcomes[0], Ok(Reply::Reset(false))), "{:?}", outcomes[0]);
    assert!(matches!(&outcomes[1], Ok(Reply::Peeked(snapshot)) if snapshot.remaining() == 1), "{:?}", outcomes[1]);
    assert!(matches!(&outcomes[2], Err(error) if error.kind() == ErrorKind::Capacity), "{:?}", outcomes[2]);
    assert!(matches!(outcomes[3], Ok(Reply::Acquired(Verdict::Denied(_)))), "{:?}", outcomes[3]);
}

#[test]
fn promise_9_numbers_that_a_store_is_not_made_for_are_errors() {
    let store = MemoryStore::builder().timer(ManualTimer::new()).build();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
    for units in [0, u64::MAX] {
        let acquire = Operation::acquire("key", &quota, units);
        let penalize = Operation::new("key", Action::Penalize { quota: &quota, units });
        for operation in [acquire, penalize] {
            let error = store.submit(Batch::from(&operation)).wait().remove(0).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        }
    }
    assert!(store.is_empty());
    let limiter = over(&store, "1/h");
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
    assert_eq!(limiter.list("", None, 0).unwrap().keys, ["key"], "a page of nothing would never end");
}
