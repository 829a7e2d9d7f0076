//! A child that was forked goes on with the limiters of its parent: in none of its lines, by none of its threads, and behind no
//! lock that one of them held.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::fs::{self, OpenOptions};
use std::future::{Future, ready};
use std::io::Write;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use scupper::store::{Action, Batch, Denial, MemoryStore, Operation, Outcomes, Reply, Store, Submission, Verdict};
use scupper::{Cause, Decision, ErrorKind, Limiter, Rate, SharedMemoryStore, SqliteStore, Timestamp};
use scupper_testbed::Ends;
use support::child::Child;
use support::{Folder, LONG, MILLISECOND};

fn limiter(store: impl Store, rate: &str) -> Limiter {
    Limiter::builder().rates([rate.parse().unwrap()]).store(store).call_timeout(None).build().unwrap()
}

fn shared_memory(folder: &Folder) -> SharedMemoryStore {
    let url = format!("shm:{}", folder.path().join("limits").display());
    SharedMemoryStore::builder(&url).lock_within(LONG).open().unwrap()
}

fn sqlite(folder: &Folder) -> SqliteStore {
    SqliteStore::builder(folder.path().join("limits.db")).timeout(LONG).open().unwrap()
}

/// What wakes those who wait is a thread of the parent's, and so is who stands before them in line.
fn a_child_waits_though_others_wait(limiter: &Limiter) {
    let is_over = AtomicBool::new(false);
    let waits = || limiter.request("key").timeout(LONG).acquire().is_ok();
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for _ in 0..2 {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert!(waits());
                }
            });
        }
        for nth in 0..25 {
            let child = Child::fork(|| (0..3).map(|_| u8::from(waits())).sum());
            assert_eq!(child.given(), 3, "in child {nth}");
        }
    });
}

#[test]
fn a_child_waits_for_shared_memory_though_others_of_its_parent_wait_in_the_same_line() {
    let folder = Folder::new();
    a_child_waits_though_others_wait(&limiter(shared_memory(&folder), "5/10ms"));
}

#[test]
fn a_child_waits_for_a_file_though_others_of_its_parent_wait_in_the_same_line() {
    let folder = Folder::new();
    a_child_waits_though_others_wait(&limiter(sqlite(&folder), "5/10ms"));
}

#[test]
fn promise_1_children_and_their_parent_that_wait_at_once_never_have_more_than_the_rates_allow_in_any_window() {
    const LIMIT: usize = 40;
    const INTERVAL: u64 = 20_000;
    const CHILDREN: usize = 4;
    const EACH: usize = 80;
    let folder = Folder::new();
    let limiter = limiter(sqlite(&folder), "40/20ms");
    let path = folder.join("taken");
    let take_turns = || {
        let mut notes = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        for _ in 0..EACH {
            let permit = limiter.request("key").timeout(LONG).acquire().unwrap();
            notes.write_all(&permit.tick().as_micros().to_be_bytes()).unwrap();
        }
        0
    };
    // The line of the parent, its timer and its thread for the file have been at work before.
    take_turns();
    let children: Vec<Child> = (0..CHILDREN).map(|_| Child::fork(take_turns)).collect();
    take_turns();
    assert!(children.into_iter().all(|child| child.given() == 0));
    let taken = fs::read(&path).unwrap();
    let mut ticks: Vec<u64> = taken.chunks(8).map(|tick| u64::from_be_bytes(tick.try_into().unwrap())).collect();
    ticks.sort_unstable();
    assert_eq!(ticks.len(), EACH * (CHILDREN + 2));
    assert!(ticks.windows(LIMIT + 1).all(|window| window[LIMIT] - window[0] > INTERVAL));
}

#[test]
fn who_stands_in_line_at_a_fork_is_served_in_the_parent_and_hears_so_in_the_child() {
    let limiter = limiter(MemoryStore::new(), "2/h");
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
    let mut context = Context::from_waker(Waker::noop());
    let mut waits = Some(Box::pin(limiter.request("key").weight(2).acquire_async()));
    let mut poll = |waits: &mut Option<_>| waits.as_mut().map(|waits| Future::poll(pin!(waits), &mut context));
    assert!(matches!(poll(&mut waits), Some(Poll::Pending)));
    let child = Child::fork(|| {
        // One unit is left, and nobody stands before it.
        assert!(limiter.try_acquire("key").unwrap().is_admitted());
        let heard = poll(&mut waits);
        u8::from(matches!(heard, Some(Poll::Ready(Err(error))) if error.kind() == ErrorKind::Unknown))
    });
    assert_eq!(child.given(), 1);
    let child = Child::fork(|| {
        drop(waits.take());
        u8::from(limiter.try_acquire("key").unwrap().is_admitted())
    });
    assert_eq!(child.given(), 1);
    let cause = |decision| if let Decision::Denied(denied) = decision { Some(denied.cause()) } else { None };
    assert_eq!(cause(limiter.try_acquire("key").unwrap()), Some(Cause::Queued));
    limiter.reset("key").unwrap();
    assert!(matches!(poll(&mut waits), Some(Poll::Ready(Ok(_)))));
}

/// As a remote store that is full for a while, whenever it is asked; it holds no lock.
#[derive(Debug)]
struct Full;

impl Full {
    const FOR: Duration = MILLISECOND;

    fn reply(operation: &Operation<'_>) -> Reply {
        let now = Timestamp::ZERO;
        let denial = Denial { now, retry_at: now + Self::FOR, rate: Some(0), cause: Cause::Full };
        match operation.action {
            Action::Acquire { .. } => Reply::Acquired(Verdict::Denied(denial)),
            _ => Reply::Reset(true),
        }
    }
}

impl Store for Full {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let outcomes: Outcomes = batch.operations().iter().map(|operation| Ok(Self::reply(operation))).collect();
        Submission::Pending(Box::pin(ready(outcomes)))
    }

    fn identity(&self) -> usize {
        1
    }
}

#[test]
fn whatever_others_of_its_parent_are_at_a_child_finds_no_lock_of_theirs_in_its_way() {
    let limiter = limiter(Full, "5/h");
    let is_denied = |limiter: &Limiter, key: &str| matches!(limiter.try_acquire(key).unwrap(), Decision::Denied(_));
    let things: [&(dyn Fn() -> bool + Sync); 5] = [
        // Looks for what is known of denials, and learns more of them.
        &|| ["a", "b", "c"].iter().all(|key| is_denied(&limiter, key)),
        &|| ["a", "b", "c"].iter().all(|key| limiter.reset(key).unwrap()),
        // Sets alarms, and has them go off, until there is no time for another.
        &|| limiter.request("a").timeout(4 * Full::FOR).acquire().unwrap_err().kind() == ErrorKind::Timeout,
        &|| ["5/h", "6/h"].iter().all(|rate| limiter.set_rates(rate.parse::<Rate>().unwrap()).is_ok()),
        &|| is_denied(&self::limiter(Full, "5/h"), "a"),
    ];
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for thing in things {
            let is_over = &is_over;
            threads.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    assert!(thing());
                }
            });
        }
        for nth in 0..150 {
            let child = Child::fork(|| things.iter().map(|thing| u8::from(thing())).sum());
            assert_eq!(child.given(), 5, "in child {nth}");
        }
    });
}
