//! The same as `memory_comes_back` on the system's clock: nothing moves it on but time. Alone in its process, as it
//! counts every byte.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::thread;
use std::time::Duration;

use peak_alloc::PeakAlloc;
use scupper::{Limiter, MemoryStore};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const KEYS: usize = 200_000;
const SLACK: usize = 1024 * 1024;
/// Idle buckets leave within about a second.
const WAITS: usize = 1200;
const WAIT: Duration = Duration::from_millis(50);

#[test]
fn promise_7_the_memory_of_idle_keys_comes_back_on_the_systems_clock() {
    let store = MemoryStore::new();
    let limiter = Limiter::builder().rates(["3/50ms".parse().unwrap()]).store(store.clone()).build().unwrap();
    let before = ALLOCATOR.current_usage();
    for number in 0..KEYS {
        assert!(limiter.try_acquire(&format!("client {number}")).unwrap().is_admitted());
    }
    assert!(
        (0..WAITS).any(|_| store.is_empty() || {
            thread::sleep(WAIT);
            false
        }),
        "{} are left",
        store.len()
    );
    let left = ALLOCATOR.current_usage().saturating_sub(before);
    assert!(left <= SLACK, "{left} bytes are left");
}
