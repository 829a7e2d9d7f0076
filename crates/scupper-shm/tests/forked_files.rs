//! A child that was forked goes on with the `SQLite` files that its parent had open: one limit for all of them, and the file stays
//! sound.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, thread};

use scupper::store::{Batch, Operation, Store};
use scupper::{Algorithm, Limiter, Quota, SqliteStore};
use scupper_testbed::Ends;
use support::Folder;
use support::child::Child;

/// What the child gave.
fn given(child: Child) -> u64 {
    child.given().into()
}

fn limiter(folder: &Folder, rate: &str) -> Limiter {
    let path = folder.path().join("limits.db");
    let store = SqliteStore::builder(path).timeout(Duration::from_secs(10)).open().unwrap();
    Limiter::builder().rates([rate.parse().unwrap()]).store(store).call_timeout(None).build().unwrap()
}

/// How many of so many requests are admitted.
fn take(limiter: &Limiter, requests: u8) -> u8 {
    let admitted = (0..requests).filter(|_| limiter.try_acquire("key").unwrap().is_admitted()).count();
    u8::try_from(admitted).unwrap()
}

/// Looked at in a child: a program must not fork while one of its threads uses `SQLite` by itself, and other tests fork meanwhile.
fn is_sound(folder: &Folder) {
    let look = || {
        let connection = rusqlite::Connection::open(folder.path().join("limits.db")).unwrap();
        let said: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(said, "ok");
        0
    };
    assert_eq!(given(Child::fork(look)), 0);
}

#[test]
fn a_child_counts_on_what_its_parent_has_taken_and_the_other_way_round() {
    let folder = Folder::new();
    let limiter = limiter(&folder, "9/h");
    assert_eq!(take(&limiter, 3), 3);
    assert_eq!(given(Child::fork(|| take(&limiter, 4))), 4);
    assert_eq!(take(&limiter, 4), 2);
    assert_eq!(given(Child::fork(|| take(&limiter, 4))), 0);
    is_sound(&folder);
}

#[test]
fn promise_1_children_and_their_children_share_one_limit() {
    let folder = Folder::new();
    let limiter = limiter(&folder, "300/h");
    assert_eq!(take(&limiter, 10), 10);
    let family = || {
        let child = Child::fork(|| take(&limiter, 100));
        take(&limiter, 100).saturating_add(u8::try_from(given(child)).unwrap())
    };
    let children: Vec<Child> = (0..3).map(|_| Child::fork(family)).collect();
    assert_eq!(children.into_iter().map(given).sum::<u64>(), 290);
    is_sound(&folder);
}

/// A thread that is in the middle of a decision is not there in the child, and what it has locked is the parent's.
#[test]
fn a_fork_in_the_middle_of_others_decisions_openings_and_closings_leaves_no_lock_behind() {
    let folder = Folder::new();
    let store = SqliteStore::builder(folder.path().join("limits.db")).timeout(Duration::from_secs(10)).open().unwrap();
    let quota = Quota::new(Algorithm::default(), "1000000/s").unwrap();
    let take = |key| store.submit(Batch::from(&Operation::acquire(key, &quota, 1))).wait().remove(0).is_ok();
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for key in ["key", "other", "opener"] {
            let (is_over, take, folder) = (&is_over, &take, &folder);
            threads.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    if key == "opener" {
                        drop(SqliteStore::open(folder.path().join("other.db")).unwrap());
                    }
                    assert!(take(key));
                }
            });
        }
        for _ in 0..60 {
            let requests = || (0..5).filter(|_| take("key")).count();
            assert_eq!(given(Child::fork(|| u8::try_from(requests()).unwrap())), 5);
        }
    });
    is_sound(&folder);
}

/// How many descriptors of this process are of files within the folder.
fn descriptors(folder: &Folder) -> u8 {
    let opened = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    u8::try_from(opened.filter(|path| path.starts_with(folder.path())).count()).unwrap()
}

/// What `SQLite` knows of its locks is wrong in a child: there must be no connection in it, not even one that was about to be
/// closed.
#[test]
fn a_fork_while_stores_are_dropped_leaves_no_connection_in_the_child() {
    let folder = Folder::new();
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for name in ["one.db", "other.db", "third.db"] {
            let (is_over, path) = (&is_over, folder.path().join(name));
            threads.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    drop(SqliteStore::builder(&path).timeout(Duration::from_secs(10)).open().unwrap());
                }
            });
        }
        for nth in 0..500 {
            assert_eq!(given(Child::fork(|| descriptors(&folder))), 0, "in child {nth}");
        }
    });
}
