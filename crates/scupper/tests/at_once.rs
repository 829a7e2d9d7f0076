//! Stores that decide at memory speed are asked without a call, where that is in nobody's way.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use scupper::store::{Batch, Operation, Reply, Store, Submission, Verdict};
use scupper::{Decision, Limiter, LimiterBuilder, ManualTimer, MemoryStore, Quota, Timestamp};

/// Counts how it is asked. It does not tell that it is a memory store.
#[derive(Debug)]
struct Near {
    inner: MemoryStore,
    answers: AtomicBool,
    at_once: AtomicUsize,
    calls: AtomicUsize,
}

#[derive(Clone, Debug)]
struct Shared(Arc<Near>);

impl Store for Shared {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.0.inner.submit(batch)
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    fn acquire_at_once(&self, key: &str, quota: &Quota, weight: u64) -> Option<Verdict> {
        if !self.0.answers.load(Ordering::Relaxed) {
            return None;
        }
        self.0.at_once.fetch_add(1, Ordering::Relaxed);
        match self.0.inner.submit(Batch::from(&Operation::acquire(key, quota, weight))).wait().remove(0) {
            Ok(Reply::Acquired(verdict)) => Some(verdict),
            _ => None,
        }
    }
}

impl Shared {
    fn new(timer: &ManualTimer) -> Self {
        let inner = MemoryStore::builder().timer(timer.clone()).build();
        Self(Arc::new(Near { inner, answers: true.into(), at_once: 0.into(), calls: 0.into() }))
    }

    /// Calls and answers at once since the last time.
    fn asked(&self) -> (usize, usize) {
        (self.0.calls.swap(0, Ordering::Relaxed), self.0.at_once.swap(0, Ordering::Relaxed))
    }

    fn limiter(&self, timer: &ManualTimer) -> LimiterBuilder {
        Limiter::builder().rates(["2/s".parse().unwrap()]).store(self.clone()).timer(timer.clone())
    }
}

#[test]
fn who_finds_nobody_waiting_is_decided_on_without_a_call() {
    let timer = ManualTimer::new();
    let store = Shared::new(&timer);
    let limiter = store.limiter(&timer).build().unwrap();
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
    limiter.request("key").acquire().unwrap();
    assert!(matches!(limiter.request("key").weight(2).try_acquire().unwrap(), Decision::Denied(_)));
    assert!(matches!(limiter.request("key").weight(3).try_acquire().unwrap(), Decision::NeverFits(_)));
    assert!(limiter.bucket("other").unwrap().try_acquire().unwrap().is_admitted());
    assert_eq!(store.asked(), (0, 5));
    let single = store.limiter(&timer).single_bucket("all").build().unwrap();
    assert!(single.try_acquire("any").unwrap().is_admitted());
    assert_eq!(store.asked(), (0, 1));
}

#[test]
fn what_cannot_be_decided_at_once_is_asked_for_by_a_call() {
    let timer = ManualTimer::new();
    let store = Shared::new(&timer);
    let limiter = store.limiter(&timer).build().unwrap();
    limiter.detailed("key").unwrap();
    assert!(limiter.request("key").at(Timestamp::from_micros(7)).try_acquire().unwrap().is_admitted());
    assert_eq!(store.asked(), (2, 0));
    store.0.answers.store(false, Ordering::Relaxed);
    assert!(limiter.try_acquire("other").unwrap().is_admitted());
    assert_eq!(store.asked(), (1, 0));
}

#[test]
fn promise_5_nobody_passes_those_who_wait_by_an_answer_at_once() {
    let timer = ManualTimer::new();
    let store = Shared::new(&timer);
    let limiter = store.limiter(&timer).build().unwrap();
    limiter.request("key").acquire().unwrap();
    let mut waits = Box::pin(limiter.request("key").weight(2).acquire_async());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waits.as_mut().poll(&mut context).is_pending());
    store.asked();
    // A unit would fit, but it is somebody else's turn; on another key, nobody waits.
    assert!(!limiter.try_acquire("key").unwrap().is_admitted());
    assert_eq!(store.asked().1, 0);
    assert!(limiter.try_acquire("other").unwrap().is_admitted());
    assert_eq!(store.asked(), (0, 1));
    timer.advance(std::time::Duration::from_secs(2));
    assert!(waits.as_mut().poll(&mut context).is_ready());
    assert!(!limiter.try_acquire("key").unwrap().is_admitted());
    assert_eq!(store.asked().1, 1);
}
