//! The file does not grow without bound, whatever comes and goes.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs;
use std::path::Path;

use scupper::SqliteStore;
use scupper::store::{Batch, Operation, Store};
use scupper_testbed::await_that;
use support::folder::Folder;
use support::sqlite::{is_sound, number, quota};

const MEBIBYTE: u64 = 1 << 20;

/// The bytes of a file and of its log.
fn bytes(path: &Path) -> u64 {
    let log = path.with_extension("db-wal");
    fs::metadata(path).unwrap().len() + fs::metadata(log).map(|log| log.len()).unwrap_or_default()
}

#[test]
fn promise_7_tens_of_thousands_of_keys_that_come_and_go_fit_into_a_few_mebibytes() {
    let folder = Folder::new();
    let (store, quota) = (SqliteStore::open(folder.file("limits.db")).unwrap(), quota("10/50ms"));
    let mut most = 0;
    for number in 0..40_000_u64 {
        // In no order.
        let key = format!("user:{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert!(store.submit(Batch::from(&Operation::acquire(&key, &quota, 1))).wait()[0].is_ok());
        if number % 500 == 0 {
            most = most.max(bytes(store.path()));
        }
    }
    assert!(most <= 12 * MEBIBYTE, "{most} bytes");
    await_that("all have left", || number(store.path(), "SELECT count(*) FROM bucket") == 0);
    is_sound(store.path());
}

#[test]
fn promise_7_a_hot_key_keeps_no_more_than_its_windows_need() {
    let folder = Folder::new();
    let (store, quota) = (SqliteStore::open(folder.file("limits.db")).unwrap(), quota("100000/20ms"));
    for _ in 0..20_000 {
        assert!(store.submit(Batch::from(&Operation::acquire("key", &quota, 1))).wait()[0].is_ok());
    }
    assert!(bytes(store.path()) <= 8 * MEBIBYTE, "{} bytes", bytes(store.path()));
    let chunks = number(store.path(), "SELECT count(*) FROM chunk");
    assert!(chunks <= 400, "{chunks} chunks of 32 events");
    await_that("it has left", || number(store.path(), "SELECT count(*) FROM bucket") == 0);
    assert_eq!(number(store.path(), "SELECT count(*) FROM chunk"), 0);
}
