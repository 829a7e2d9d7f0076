//! Clocks of the user under a memory store, and times that a caller brings.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use scupper::store::{Action, Batch, BucketState, Operation, Reply, Standing, Store, Verdict};
use scupper::{Alarm, Algorithm, ErrorKind, Limiter, ManualTimer, MemoryStore, Quota, Rate, Result, Timer, Timestamp};

const HOUR: u64 = 3_600_000_000;

/// A clock on which an hour passes between any two looks. What it is asked to do later is due already.
#[derive(Debug, Default)]
struct Hasty(AtomicU64);

impl Timer for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(HOUR, Ordering::Relaxed))
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.0.fetch_max(at.as_micros(), Ordering::Relaxed);
        waker.wake();
        Ok(Alarm::gone_off())
    }
}

#[test]
fn a_timer_that_wakes_at_once_does_not_stop_the_store() {
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        let store = MemoryStore::builder().timer(Hasty::default()).build();
        let limiter = Limiter::builder().rate(Rate::per_second(1).unwrap()).store(store).build().unwrap();
        for number in 0..100 {
            assert!(limiter.try_acquire(&format!("client {number}")).unwrap().is_admitted());
        }
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(20)).expect("the store waits for itself");
}

#[test]
fn whoever_waits_at_a_time_of_his_own_does_not_wait_for_ever() {
    let timer = ManualTimer::new();
    let limiter = Limiter::builder().rate(Rate::per_second(1).unwrap()).timer(timer.clone()).build().unwrap();
    let ask = || limiter.request("user:42").at(Timestamp::from_micros(7));
    assert!(ask().try_acquire().unwrap().is_admitted());
    let mut waiting = pin!(ask().acquire_async());
    let mut context = Context::from_waker(Waker::noop());
    let ended = (0..5).any(|_| {
        let poll = waiting.as_mut().poll(&mut context);
        timer.next_alarm().into_iter().for_each(|at| timer.set(at));
        matches!(poll, Poll::Ready(_))
    });
    assert!(ended, "its own time stands still, so it is denied again and again");
}

#[test]
fn the_end_of_time_is_no_end_of_the_program() {
    let store = MemoryStore::new();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, Rate::per_hour(2).unwrap()).unwrap();
        let key = algorithm.to_string();
        let ask = |action, at| {
            let operation = Operation::new(&key, action).at(Timestamp::from_micros(at));
            store.submit(Batch::from(&operation)).wait().remove(0).unwrap()
        };
        let acquire = |weight| Action::Acquire { quota: &quota, weight, standing: Standing::Alone };
        let late = Operation::acquire(&key, &quota, 1).at(Timestamp::from_micros(BucketState::LATEST.as_micros() + 1));
        let error = store.submit(Batch::from(&late)).wait().remove(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        for at in [BucketState::LATEST.as_micros() - 1, BucketState::LATEST.as_micros()] {
            ask(acquire(1), at);
            assert!(!matches!(ask(acquire(2), at), Reply::Acquired(Verdict::Admitted(_))), "over, by {key}");
            ask(Action::Peek { quota: &quota }, at);
            ask(Action::Penalize { quota: &quota, units: Rate::MAX_LIMIT }, at);
            ask(Action::Hold { quota: &quota, duration: Duration::MAX }, at);
        }
    }
}

#[test]
fn promise_9_a_hundred_thousand_in_one_tick_are_counted_one_by_one() {
    const LIMIT: u64 = 100_000;
    let timer = ManualTimer::new();
    let limiter = Limiter::builder().rate(Rate::per_second(LIMIT).unwrap()).timer(timer.clone()).build().unwrap();
    let bucket = limiter.bucket("user:42").unwrap();
    for round in 0..2 {
        for _ in 0..LIMIT {
            assert!(bucket.try_acquire().unwrap().is_admitted());
        }
        assert!(!bucket.try_acquire().unwrap().is_admitted(), "in round {round}");
        assert_eq!(limiter.peek("user:42").unwrap().usage[0].used, LIMIT);
        timer.advance(Duration::from_secs(1));
        assert!(!bucket.try_acquire().unwrap().is_admitted(), "in round {round}");
        timer.advance(Duration::from_micros(1));
    }
    assert_eq!(bucket.request().weight(LIMIT).acquire().unwrap().weight(), LIMIT);
}
