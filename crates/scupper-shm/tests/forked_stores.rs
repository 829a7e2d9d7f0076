//! A child that was forked goes on with the stores that its parent had opened: one limit for all of them.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use scupper::{Limiter, SharedMemoryStore};
use scupper_testbed::Ends;
use support::Folder;
use support::child::Child;

/// What the child gave.
fn given(child: Child) -> u64 {
    child.given().into()
}

fn limiter(folder: &Folder, rate: &str) -> Limiter {
    let store = SharedMemoryStore::open(&format!("shm:{}", folder.path().join("limits").display())).unwrap();
    Limiter::builder().rates([rate.parse().unwrap()]).store(store).build().unwrap()
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
