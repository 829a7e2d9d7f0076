//! Whoever holds the lock is alone with it among threads, and nobody waits longer than asked.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use std::{mem, thread};

use rustix::process::{Pid, Signal, kill_process};
use scupper_shm::{LockError, SEATS, Shared};
use support::{
    Folder, LOCK_WORD, LONG, MILLISECOND, Random, WAITED_FOR, Worker, await_that, create, get, lock, open, role, set,
};

/// How much later than its timeout a call may return on a machine that has much to do.
const SLACK: Duration = Duration::from_millis(1_500);

fn put_in_lock_word(path: &Path, value: u32) {
    File::options().write(true).open(path).unwrap().write_all_at(&value.to_ne_bytes(), LOCK_WORD).unwrap();
}

fn lock_word(path: &Path) -> u32 {
    let mut bytes = [0; 4];
    File::open(path).unwrap().read_exact_at(&mut bytes, LOCK_WORD).unwrap();
    u32::from_ne_bytes(bytes)
}

/// Tries for so long, and takes no longer than that; a machine may stand still at any time, and hardly each of a few times.
fn times_out(shared: &Shared, timeout: Duration) {
    let mut late = Vec::new();
    while late.len() < 5 {
        let start = Instant::now();
        assert!(matches!(shared.lock(timeout), Err(LockError::TimedOut)));
        let took = start.elapsed();
        assert!(took >= timeout, "{took:?}");
        if took < timeout + SLACK {
            return;
        }
        late.push(took);
    }
    panic!("{late:?}, and not once within {:?}", timeout + SLACK);
}

#[test]
fn a_lock_that_is_free_is_had_without_any_time() {
    let folder = Folder::new();
    let shared = create(&folder.join("file"), 1);
    for _ in 0..3 {
        assert!(shared.lock(Duration::ZERO).unwrap().is_held());
    }
}

#[test]
fn a_lock_that_is_held_times_out_in_time_for_all_openings_and_forever_is_no_overflow() {
    let folder = Folder::new();
    let path = folder.join("file");
    let (shared, other) = (create(&path, 1), open(&path));
    let guard = lock(&shared);
    for timeout in [Duration::ZERO, Duration::from_nanos(1), MILLISECOND, 50 * MILLISECOND, 120 * MILLISECOND] {
        times_out(&shared, timeout);
        times_out(&other, timeout);
    }
    thread::scope(|threads| {
        let waits = threads.spawn(|| drop(other.lock(Duration::MAX).unwrap()));
        await_that("it waits", || lock_word(&path) & WAITED_FOR != 0);
        drop(guard);
        waits.join().unwrap();
    });
    drop(lock(&shared));
    assert_eq!(lock_word(&path), 0);
}

/// Adds one to each of two words, which are the same whenever the lock is free.
fn add_one(shared: &Shared) {
    let _guard = lock(shared);
    let (first, second) = (get(shared, 0), get(shared, 1));
    assert_eq!(first, second, "somebody else has the lock");
    set(shared, 0, first + 1);
    set(shared, 1, second + 1);
}

#[test]
fn threads_exclude_each_other_through_one_opening_and_through_several() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 20_000;
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, 2);
    let barrier = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|threads| {
        for nth in 0..THREADS {
            let (path, shared, barrier) = (&path, &shared, &barrier);
            threads.spawn(move || {
                let own = open(path);
                let shared = if nth % 2 == 0 { shared } else { &own };
                barrier.wait();
                (0..ROUNDS).for_each(|_| add_one(shared));
            });
        }
    });
    assert_eq!((get(&shared, 0), lock_word(&path)), (THREADS * ROUNDS, 0));
}

#[test]
fn waiters_that_give_up_in_between_cost_nobody_a_wake_up() {
    const THREADS: usize = 6;
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, 2);
    let start = Instant::now();
    let slowest = thread::scope(|threads| {
        let tries = |seed| {
            let (own, mut random, mut slowest) = (open(&path), Random::new(seed), Duration::ZERO);
            for _ in 0..2_000 {
                let start = Instant::now();
                let Ok(guard) = own.lock(Duration::from_micros(random.below(300))) else { continue };
                slowest = slowest.max(start.elapsed());
                if random.below(8) == 0 {
                    thread::sleep(Duration::from_micros(random.below(100)));
                }
                drop(guard);
                add_one(&own);
            }
            slowest
        };
        let all: Vec<_> = (0..THREADS).map(|seed| threads.spawn(move || tries(seed as u64))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
    });
    assert!(slowest < LONG / 2, "{slowest:?}");
    assert!(start.elapsed() < 3 * LONG, "{:?}", start.elapsed());
    assert_eq!((get(&shared, 0), lock_word(&path)), (get(&shared, 1), 0));
}

#[test]
fn a_panic_under_the_lock_gives_it_back() {
    let folder = Folder::new();
    let shared = create(&folder.join("file"), 1);
    let panics = || {
        let _guard = lock(&shared);
        std::panic::resume_unwind(Box::new("on purpose"));
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
    drop(shared.lock(Duration::ZERO).unwrap());
}

#[test]
fn a_guard_that_is_forgotten_holds_until_its_opening_goes() {
    let folder = Folder::new();
    let path = folder.join("file");
    let (shared, other) = (create(&path, 1), open(&path));
    mem::forget(lock(&shared));
    times_out(&shared, 20 * MILLISECOND);
    times_out(&other, 20 * MILLISECOND);
    drop(shared);
    drop(lock(&other));
}

#[test]
fn a_lock_word_of_garbage_is_damaged_at_once() {
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, 1);
    drop(lock(&shared));
    for value in [SEATS + 1, (SEATS + 1) | WAITED_FOR, WAITED_FOR, WAITED_FOR - 1, u32::MAX] {
        put_in_lock_word(&path, value);
        let start = Instant::now();
        assert!(matches!(shared.lock(LONG), Err(LockError::Damaged)), "{value:#x}");
        assert!(start.elapsed() < LONG / 2);
        assert!(matches!(open(&path).lock(LONG), Err(LockError::Damaged)), "{value:#x}");
        assert_eq!(lock_word(&path), value);
    }
}

#[test]
fn a_lock_word_that_names_a_seat_where_nobody_sits_is_a_lock_to_take() {
    let folder = Folder::new();
    let path = folder.join("file");
    let (shared, first) = (create(&path, 1), 1 + std::process::id() % SEATS);
    drop(lock(&shared));
    for seat in [1, SEATS / 2, SEATS, first + 1] {
        for mark in [0, WAITED_FOR] {
            put_in_lock_word(&path, seat.min(SEATS) | mark);
            drop(lock(&shared));
        }
    }
    // By those who come to the very seat as well.
    drop(shared);
    put_in_lock_word(&path, first);
    drop(open(&path).lock(Duration::ZERO).unwrap());
}

#[test]
fn a_lock_word_that_names_who_lives_but_does_not_hold_it_is_waited_for_in_vain_and_in_time() {
    let folder = Folder::new();
    let path = folder.join("file");
    let (shared, other) = (create(&path, 1), open(&path));
    let guard = lock(&shared);
    let held = lock_word(&path);
    drop(guard);
    put_in_lock_word(&path, held);
    times_out(&other, 50 * MILLISECOND);
    times_out(&shared, 50 * MILLISECOND);
    drop(shared);
    drop(lock(&other));
}

#[test]
fn an_owner_that_was_stopped_keeps_the_lock_until_it_goes_on() {
    const HELD: usize = 0;
    const LET_GO: usize = 1;
    if let Some((_, path)) = role() {
        let shared = open(&path);
        let guard = lock(&shared);
        set(&shared, HELD, 1);
        await_that("it may let go", || get(&shared, LET_GO) == 1);
        return drop(guard);
    }
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, 2);
    let worker = Worker::start("an_owner_that_was_stopped_keeps_the_lock_until_it_goes_on", "owner", &path);
    await_that("the worker has the lock", || get(&shared, HELD) == 1);
    let worker_is = Pid::from_child(&worker.0);
    kill_process(worker_is, Signal::STOP).unwrap();
    times_out(&shared, 300 * MILLISECOND);
    set(&shared, LET_GO, 1);
    times_out(&shared, 100 * MILLISECOND);
    kill_process(worker_is, Signal::CONT).unwrap();
    drop(shared.lock(LONG).unwrap());
    worker.ends_well();
}
