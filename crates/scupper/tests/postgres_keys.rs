//! Any text is a key, and each key has a bucket of its own.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::store::{Batch, Operation, Reply, Store, Verdict};
use scupper_testbed::await_that;
use support::postgres::{Bed, admits, list_all, patient, quota};

/// Such as somebody may have who means harm, or nothing at all.
fn keys() -> Vec<String> {
    let odd = [
        "",
        " ",
        "'",
        "''",
        "\"",
        "'; DROP SCHEMA scupper CASCADE; --",
        "$1",
        "$$",
        "\\",
        "\\x00",
        "\\000",
        "%",
        "_",
        "\0",
        "\0\0",
        "a\0b",
        "\n",
        "\r\n",
        "\t",
        "{a,b}",
        "NULL",
        "{s}",
        "ключ",
        "キー",
        "🔑",
        "e\u{301}",
        "\u{e9}",
        "\u{feff}",
        "\u{10ffff}",
    ];
    let long = [10_000, 10_001, 65_536].map(|length| "k".repeat(length));
    odd.into_iter().map(str::to_owned).chain(long).collect()
}

#[test]
fn each_key_has_a_bucket_of_its_own_and_every_operation_finds_it() {
    let bed = Bed::new();
    let limiter = patient("3/h", bed.direct());
    for key in keys() {
        admits(&limiter, &key);
        let permit = limiter.request(&key).weight(2).acquire().unwrap();
        assert!(!limiter.try_acquire(&key).unwrap().is_admitted());
        assert_eq!(limiter.refund(permit).unwrap(), 2);
    }
    for key in keys() {
        assert_eq!(limiter.peek(&key).unwrap().usage[0].used, 1, "{key:?}");
    }
    let (mut listed, mut keys) = (list_all(&limiter, 7).unwrap(), keys());
    listed.sort_unstable();
    keys.sort_unstable();
    assert_eq!(listed, keys);
    for key in &keys {
        assert!(limiter.reset(key).unwrap(), "{key:?}");
    }
    assert!(list_all(&limiter, 7).unwrap().is_empty());
}

#[test]
fn what_a_key_begins_with_is_taken_by_the_letter() {
    let bed = Bed::new();
    let limiter = patient("3/h", bed.direct());
    for key in ["a%", "ab", "a_", "a\\", "a'", "A%", "é", "e\u{301}"] {
        admits(&limiter, key);
    }
    for (prefix, found) in
        [("a%", 1), ("a_", 1), ("a\\", 1), ("a'", 1), ("a", 5), ("A", 1), ("é", 1), ("e", 1), ("x", 0)]
    {
        assert_eq!(limiter.list(prefix, None, 10).unwrap().keys.len(), found, "{prefix}");
    }
}

#[test]
fn keys_of_all_kinds_go_out_together() {
    let bed = Bed::new();
    let (store, quota, keys) = (bed.store(), quota("2/h"), keys());
    let operations: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 1)).collect();
    for _ in 0..2 {
        let outcomes = store.submit(Batch::new(&operations)).wait();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
    for key in &keys {
        assert_eq!(bed.used(key, "2/h"), 2, "{key:?}");
    }
}

#[test]
fn promise_7_twenty_thousand_keys_that_come_and_go_leave_nothing_behind() {
    const KEYS: usize = 20_000;
    let bed = Bed::new();
    let (store, quota) = (bed.direct().clone(), quota("2/100ms"));
    let keys: Vec<String> = (0..KEYS).map(|number| format!("user:{number}")).collect();
    for keys in keys.chunks(200) {
        let operations: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 1)).collect();
        for outcome in store.submit(Batch::new(&operations)).wait() {
            let reply = outcome.unwrap();
            assert!(matches!(reply, Reply::Acquired(Verdict::Admitted(_))), "{reply:?}");
        }
    }
    // Nobody asks for anything any more.
    await_that("no row is left", || bed.ask("SELECT count(*) FROM {s}.bucket").number() == 0);
    assert_eq!(bed.ask("SELECT count(*) FROM {s}.chunk").number(), 0);
}
