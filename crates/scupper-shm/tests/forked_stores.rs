//! A child that was forked goes on with the stores that its parent had opened: one limit for all of them.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use scupper::store::{Batch, Operation, Store, Submission};
use scupper::{Algorithm, ErrorKind, Limiter, Quota, SharedMemoryStore};
use scupper_shm::Shared;
use scupper_testbed::Ends;
use support::child::Child;
use support::{Folder, LONG};

/// What the child gave.
fn given(child: Child) -> u64 {
    child.given().into()
}

fn limiter(folder: &Folder, rate: &str) -> Limiter {
    // Where much else is to be done, who has the lock may be long in getting a turn.
    let url = format!("shm:{}", folder.path().join("limits").display());
    let store = SharedMemoryStore::builder(&url).lock_within(LONG).open().unwrap();
    Limiter::builder().rates([rate.parse().unwrap()]).store(store).call_timeout(None).build().unwrap()
}

/// How many of so many requests are admitted.
fn take(limiter: &Limiter, requests: u8) -> u8 {
    let admitted = (0..requests).filter(|_| limiter.try_acquire("key").unwrap().is_admitted()).count();
    u8::try_from(admitted).unwrap()
}

#[test]
fn a_child_counts_on_what_its_parent_has_taken_and_the_other_way_round() {
    let folder = Folder::new();
    let limiter = limiter(&folder, "9/h");
    assert_eq!(take(&limiter, 3), 3);
    assert_eq!(given(Child::fork(|| take(&limiter, 4))), 4);
    assert_eq!(take(&limiter, 4), 2);
    assert_eq!(given(Child::fork(|| take(&limiter, 4))), 0);
}

#[test]
fn promise_1_children_that_decide_at_once_share_one_limit() {
    let folder = Folder::new();
    let limiter = limiter(&folder, "300/h");
    assert_eq!(take(&limiter, 10), 10);
    let children: Vec<Child> = (0..6).map(|_| Child::fork(|| take(&limiter, 200))).collect();
    assert_eq!(children.into_iter().map(given).sum::<u64>(), 290);
}

/// A thread that is in the middle of a decision is not there in the child, and its lock is the parent's.
#[test]
fn a_fork_in_the_middle_of_others_decisions_leaves_no_lock_behind() {
    let folder = Folder::new();
    let limiter = limiter(&folder, "1000000/s");
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _decision = limiter.try_acquire("key").unwrap();
            }
        });
        for _ in 0..200 {
            assert_eq!(given(Child::fork(|| take(&limiter, 5))), 5);
        }
    });
}

/// Those who wait for the lock elsewhere stand in a line that has a lock of its own.
#[test]
fn a_fork_while_others_come_to_wait_for_the_lock_leaves_their_line_free() {
    let folder = Folder::new();
    let path = folder.path().join("limits");
    let store = SharedMemoryStore::builder(&format!("shm:{}", path.display())).lock_within(LONG).open().unwrap();
    let file = Shared::open(&path).unwrap().unwrap();
    let _kept = file.lock(LONG).unwrap();
    let quota = Quota::new(Algorithm::default(), "1000000/s").unwrap();
    let ask = || store.submit(Batch::from(&Operation::acquire("key", &quota, 1)));
    let first = ask();
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for _ in 0..2 {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    drop(ask());
                }
            });
        }
        for nth in 0..40 {
            let is_pending = || u8::from(matches!(ask(), Submission::Pending(_)));
            assert_eq!(given(Child::fork(is_pending)), 1, "in child {nth}");
        }
    });
    drop(first);
}

#[test]
fn who_waits_at_a_fork_is_answered_in_the_parent_and_hears_so_in_the_child() {
    let folder = Folder::new();
    let path = folder.path().join("limits");
    let store = SharedMemoryStore::builder(&format!("shm:{}", path.display())).lock_within(LONG).open().unwrap();
    let file = Shared::open(&path).unwrap().unwrap();
    let kept = file.lock(LONG).unwrap();
    let quota = Quota::new(Algorithm::default(), "9/h").unwrap();
    let ask = || store.submit(Batch::from(&Operation::acquire("key", &quota, 1)));
    // One that the thread has at hand, and one behind it.
    let mut both = Some([ask(), ask()]);
    let child = Child::fork(|| {
        let outcomes = both.take().unwrap().map(|submission| submission.wait().remove(0));
        u8::from(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unknown)))
    });
    assert_eq!(given(child), 1);
    drop(kept);
    assert!(both.unwrap().into_iter().all(|submission| submission.wait().remove(0).is_ok()));
}
