//! A million keys that were used once leave nothing behind. Alone in its process, as it counts every byte.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::time::Duration;

use peak_alloc::PeakAlloc;
use scupper::{Limiter, ManualTimer, MemoryStore};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const KEYS: usize = 1_000_000;
const SLACK: usize = 1024 * 1024;

#[test]
fn promise_7_the_memory_of_a_million_idle_keys_comes_back_with_no_call_by_the_user() {
    let timer = ManualTimer::new();
    let store = MemoryStore::builder().timer(timer.clone()).build();
    let rates = ["5/s".parse().unwrap(), "100/h".parse().unwrap()];
    let limiter = Limiter::builder().rates(rates).store(store.clone()).timer(timer.clone()).build().unwrap();
    let before = ALLOCATOR.current_usage();
    for number in 0..KEYS {
        assert!(limiter.try_acquire(&format!("client {number}")).unwrap().is_admitted());
    }
    let full = ALLOCATOR.current_usage() - before;
    assert_eq!(store.len(), KEYS);
    assert!(full > KEYS * 64, "{full} bytes for {KEYS} keys cannot be");

    timer.advance(Duration::from_hours(1));
    assert_eq!(store.len(), KEYS, "the last tick of the window is in it");
    // The clock moves on, and the store wakes itself.
    timer.advance(Duration::from_secs(5));
    assert_eq!(store.len(), 0);
    let left = ALLOCATOR.current_usage().saturating_sub(before);
    assert!(left <= SLACK, "{left} bytes are left of {full}");
}
