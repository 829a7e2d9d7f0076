//! Threads start in children of forks as well, whatever threads of the parent did at that instant.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

#[path = "support/child.rs"]
mod child;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use child::Child;
use scupper_shm::thread::start;
use scupper_testbed::Ends;

/// In which whatever is awaited happens on the slowest machine.
const LONG: Duration = Duration::from_secs(20);

/// Has a thread of its own say something; whether it did.
fn a_thread_starts() -> bool {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let before = STARTED.load(Ordering::Acquire);
    let says_so = || {
        STARTED.fetch_add(1, Ordering::Release);
    };
    if start(c"starts", says_so).is_err() {
        return false;
    }
    let since = Instant::now();
    while STARTED.load(Ordering::Acquire) == before {
        if since.elapsed() > LONG {
            return false;
        }
        thread::sleep(Duration::from_micros(20));
    }
    true
}

#[test]
fn a_child_starts_threads_whatever_its_parents_threads_did_at_the_fork() {
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for _ in 0..4 {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    // Of both kinds, and so that many start and end at one time.
                    let some: Vec<_> = (0..4).map(|_| thread::spawn(|| ())).collect();
                    start(c"ends", || ()).unwrap();
                    for thread in some {
                        thread.join().unwrap();
                    }
                }
            });
        }
        for nth in 0..2_000 {
            let child = Child::fork(|| a_thread_starts().into());
            assert_eq!(child.given(), 1, "in child {nth}, a thread does not start");
        }
    });
}

#[test]
fn a_thread_that_panics_ends_alone_and_gives_back_what_it_had() {
    let (kept, ended) = mpsc::channel::<()>();
    start(c"panics", move || {
        let _kept = kept;
        panic!("as it should");
    })
    .unwrap();
    assert_eq!(ended.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
}

/// Calls itself so often; each call takes a KiB of the stack and more.
fn goes_down(calls: u64) -> u64 {
    let taken = std::hint::black_box([0_u64; 128]);
    if calls == 0 { taken[0] } else { 1 + goes_down(calls - 1) }
}

#[test]
fn a_thread_has_its_name_and_a_stack_as_others_have() {
    let (say, hear) = mpsc::channel();
    start(c"a long name, of which the beginning is shown", move || {
        let depth = goes_down(300);
        let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
        say.send((depth, name)).unwrap();
    })
    .unwrap();
    let (depth, name) = hear.recv_timeout(LONG).unwrap();
    assert_eq!(depth, 300);
    if cfg!(target_os = "linux") {
        assert_eq!(name, "a long name, of\n");
    }
}
