//! Keys of every kind.

use crate::conformance::kit::{admitted, denied, log, under_each};
use crate::conformance::subject::Subject;
use crate::store::{Action, Operation, Reply};

/// Keys that stores are known to stumble over. Some begin with others, and some look like patterns.
fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "",
        " ",
        "\0",
        "\0\0",
        "a\0b",
        "a",
        "A",
        "ab",
        "abc",
        "a ",
        "a\n",
        "a\nb",
        "a\r\n",
        "\t",
        "'",
        "''",
        "\"",
        "a'b\"c",
        "`",
        "\\",
        "\\0",
        "a\\",
        "{}",
        "{a}",
        "{a}b",
        "}{",
        "%",
        "%s",
        "a%",
        "_",
        "a_",
        "*",
        "a*",
        "?",
        "a?c",
        "[",
        "a[b]c",
        "^",
        "$1",
        ":",
        "::",
        "a:b",
        "/",
        "../x",
        ";",
        "--",
        "'; drop table buckets; --",
        "é",
        "e\u{301}",
        "ß",
        "日本語",
        "🚰",
        "\u{feff}",
        "\u{10ffff}",
        "NULL",
        "nil",
        "0",
        "-1",
        "1e3",
    ]
    .map(String::from)
    .into();
    keys.push("x".repeat(10_000));
    keys.push("x".repeat(9_999) + "y");
    keys.push("ü".repeat(5_000));
    keys
}

/// Each key has a bucket of its own, whatever is in it.
pub fn every_key_is_a_bucket_of_its_own(subject: &Subject) {
    let hourly = log("2/h");
    for round in 0..2 {
        for key in odd_keys() {
            let admission = admitted(subject.acquire(&Operation::acquire(&key, &hourly, 1)));
            assert_eq!(admission.sequence, round + 1, "{key:?} shares its bucket");
        }
    }
    for key in odd_keys() {
        denied(subject.acquire(&Operation::acquire(&key, &hourly, 1)));
        assert_eq!(subject.look(&key, &hourly, None).usage[0].used, 2, "{key:?}");
    }
    let [gone, kept] = ["a", "ab"];
    assert_eq!(subject.reply(&Operation::new(gone, Action::Reset)), Reply::Reset(true));
    admitted(subject.acquire(&Operation::acquire(gone, &hourly, 2)));
    denied(subject.acquire(&Operation::acquire(kept, &hourly, 1)));
}

/// A limiter on the store takes the same keys.
pub fn every_key_works_through_a_limiter(subject: &Subject) {
    for quota in under_each("1/h") {
        let limiter = subject.limiter(&quota);
        for key in odd_keys() {
            let key = format!("{key}{}", quota.algorithm());
            let decision = subject.try_now(limiter.request(&key)).unwrap();
            assert!(decision.is_admitted(), "{key:?} under {quota}: {decision:?}");
            assert!(!limiter.bucket(&key).unwrap().try_acquire().unwrap().is_admitted(), "{key:?} under {quota}");
        }
    }
}

/// A list gives each key that begins with the prefix, exactly once, however small the pages; no character is special.
pub fn keys_are_listed_by_prefix_in_pages(subject: &Subject) {
    let hourly = log("2/h");
    let mut keys = odd_keys();
    keys.sort();
    assert!(subject.list("", 10).is_empty());
    for key in &keys {
        admitted(subject.acquire(&Operation::acquire(key, &hourly, 1)));
    }
    for most in [1, 2, 3, 7, 1_000] {
        assert_eq!(subject.list("", most), keys, "in pages of {most}");
    }
    for prefix in odd_keys() {
        let expected: Vec<_> = keys.iter().filter(|key| key.starts_with(&prefix)).cloned().collect();
        for most in [1, 100] {
            assert_eq!(subject.list(&prefix, most), expected, "that begin with {prefix:?}, in pages of {most}");
        }
    }
    assert!(subject.list("no such key", 3).is_empty());
}
