//! What is no bucket lies where one would be: that is an error which says so, it stays as it is, and nobody else suffers.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::Duration;

use scupper::store::{Action, Admission, Batch, Operation, Reply, Standing, Store, Verdict};
use scupper::{ErrorKind, Quota, RedisStore, Timestamp};
use scupper_testbed::{RedisServer, Reply as Answer};
use support::SECOND;
use support::redis::{admits, list_all, open, patient, quota, refused, submit, without_hurry};

const RATES: &str = "5/h";

/// Commands that make a value of some kind, and what the kind is called.
const FOREIGN: &[(&[&str], &str)] = &[
    (&["ZADD", "KEY", "1790000000000", "item-0", "1790000000001", "item-1"], "zset"),
    (&["RPUSH", "KEY", "a", "b"], "list"),
    (&["HSET", "KEY", "field", "value"], "hash"),
    (&["SADD", "KEY", "a", "b"], "set"),
    (&["XADD", "KEY", "1-1", "field", "value"], "stream"),
    (&["SET", "KEY", "somebody else's"], "string"),
    (&["SET", "KEY", "1"], "string"),
    (&["SET", "KEY", ""], "string"),
    (
        &[
            "SET",
            "KEY",
            "Scuppers are openings in the side of a ship, and this is longer than the header of any bucket is: \
                      168 bytes at the least, whatever may be in it, and then the text of a quota and what it counts",
        ],
        "string",
    ),
    (&["SETBIT", "KEY", "12345", "1"], "string"),
    (&["PFADD", "KEY", "a", "b"], "string"),
];

fn make(server: &RedisServer, command: &[&str], key: &str) {
    let words: Vec<&str> = command.iter().map(|word| if *word == "KEY" { key } else { word }).collect();
    let _ = server.command(&words).granted();
}

/// All that can be done with a bucket.
fn actions(quota: &Quota) -> [Action<'_>; 8] {
    let admission = Admission { tick: Timestamp::from_micros(1_790_000_000_000_000), weight: 1, sequence: 1 };
    [
        Action::Acquire { quota, weight: 1, standing: Standing::Alone },
        Action::Acquire { quota, weight: 6, standing: Standing::Waiting },
        Action::Peek { quota },
        Action::Refund(admission),
        Action::Penalize { quota, units: 3 },
        Action::Hold { quota, duration: SECOND },
        Action::Hold { quota, duration: Duration::ZERO },
        Action::Reset,
    ]
}

#[test]
fn what_is_no_bucket_is_an_error_that_says_what_it_is_and_stays_as_it_is() {
    let server = RedisServer::start();
    let (store, quota) = (open(&server.url()), quota(RATES));
    for (command, kind) in FOREIGN {
        make(&server, command, "scupper:foreign");
        let before = server.command(&["DUMP", "scupper:foreign"]);
        for action in actions(&quota) {
            let error = submit(&store, &Operation::new("foreign", action)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            for word in ["\"scupper:foreign\"", kind, "left as", "delete", "choose another prefix"] {
                assert!(error.message().contains(word), "{word:?} of {command:?}: {error}");
            }
            assert_eq!(error.message().contains("pyrate-limiter"), *kind == "zset", "{error}");
            assert_eq!(server.command(&["DUMP", "scupper:foreign"]), before, "{action:?} of {command:?}");
            assert_eq!(server.command(&["PTTL", "scupper:foreign"]), Answer::Integer(-1));
        }
        let _ = server.command(&["DEL", "scupper:foreign"]);
    }
}

#[test]
fn what_is_no_bucket_spoils_nothing_else_of_its_batch() {
    let server = RedisServer::start();
    let (store, quota) = (open(&server.url()), quota(RATES));
    for (number, (command, _)) in FOREIGN.iter().enumerate() {
        make(&server, command, &format!("scupper:foreign-{number}"));
    }
    let foreign: Vec<String> = (0..FOREIGN.len()).map(|number| format!("foreign-{number}")).collect();
    for (turn, action) in actions(&quota).into_iter().enumerate() {
        let good: Vec<String> = (0..FOREIGN.len()).map(|number| format!("good-{turn}-{number}")).collect();
        let good_ones = good.iter().map(|key| Operation::acquire(key, &quota, 2));
        let foreign_ones = foreign.iter().map(|key| Operation::new(key, action));
        let operations: Vec<_> =
            good_ones.zip(foreign_ones).flat_map(|(good, foreign)| [good, foreign, good]).collect();
        let outcomes = store.submit(Batch::new(&operations)).wait();
        for outcomes in outcomes.chunks(3) {
            let [Ok(first), Err(error), Ok(second)] = outcomes else { panic!("{action:?}: {outcomes:?}") };
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            for reply in [first, second] {
                assert!(matches!(reply, Reply::Acquired(Verdict::Admitted(admission)) if admission.weight == 2));
            }
        }
    }
}

#[test]
fn a_limiter_tells_of_what_is_no_bucket_at_once_whether_or_not_one_would_wait() {
    let server = RedisServer::start();
    let limiter = patient(RATES, &open(&server.url()));
    for (command, _) in FOREIGN {
        make(&server, command, "scupper:foreign");
        for _ in 0..2 {
            assert_eq!(refused(limiter.try_acquire("foreign")).kind(), ErrorKind::Corrupt);
            assert_eq!(limiter.acquire("foreign").unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(limiter.peek("foreign").unwrap_err().kind(), ErrorKind::Corrupt);
        }
        assert_eq!(limiter.list("", None, 100).unwrap().keys, Vec::<String>::new());
        let _ = server.command(&["DEL", "scupper:foreign"]);
        admits(&limiter, "foreign");
        let _ = server.command(&["DEL", "scupper:foreign"]);
    }
}

#[test]
fn a_bucket_of_another_version_is_an_error_that_says_to_update() {
    let server = RedisServer::start();
    let store = open(&server.url());
    let limiter = patient(RATES, &store);
    admits(&limiter, "key");
    for version in ["0", "2", "9", "a"] {
        let _ = server.command(&["SETRANGE", "scupper:key", "7", version]);
        let before = server.command(&["GET", "scupper:key"]);
        let error = refused(limiter.try_acquire("key"));
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        for word in ["\"scupper:key\"", &format!("format {version:?}"), "update the library"] {
            assert!(error.message().contains(word), "{word}: {error}");
        }
        assert_eq!(server.command(&["GET", "scupper:key"]), before);
    }
    let _ = server.command(&["SETRANGE", "scupper:key", "7", "1"]);
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 1);
}

/// Keys with anything in them, none of which begins with another.
fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> =
        [" ", "\0", "\n\r\n", "'\"`", "{}", "{a}b", "{a}c", "}{", "ключ", "🦀", "*", "?", "[a-z]", "\\", "%s%n"]
            .map(str::to_owned)
            .into();
    keys.extend(["$1", "KEYS[1]", "..", "/"].map(str::to_owned));
    keys.push("x".repeat(10_000));
    keys.push("y".repeat(65_536));
    keys
}

#[test]
fn promise_3_keys_with_anything_in_them_have_buckets_of_their_own() {
    let server = RedisServer::start();
    for prefix in ["scupper:", "", "*?[a]\\", "{same slot}", "\0"] {
        let store = without_hurry(RedisStore::builder(&server.url())).prefix(prefix).open().unwrap();
        let limiter = patient(RATES, &store);
        let keys = odd_keys();
        for (count, key) in keys.iter().enumerate() {
            let weight = u64::try_from(count % 5).unwrap() + 1;
            assert!(limiter.request(key).weight(weight).try_acquire().unwrap().is_admitted());
            assert!(server.command(&["PTTL", &[prefix, key].concat()]).integer() > 0, "{key:?} behind {prefix:?}");
        }
        for (count, key) in keys.iter().enumerate() {
            assert_eq!(limiter.peek(key).unwrap().usage[0].used, u64::try_from(count % 5).unwrap() + 1, "{key:?}");
            assert_eq!(limiter.list(key, None, 10).unwrap().keys, [key.as_str()]);
        }
        let mut listed = list_all(&limiter, 3).unwrap();
        let mut expected = keys;
        expected.sort();
        listed.sort();
        assert_eq!(listed, expected, "behind {prefix:?}");
        let _ = server.command(&["FLUSHALL"]);
    }
}

#[test]
fn promise_3_the_empty_key_is_a_key_even_without_a_prefix() {
    let server = RedisServer::start();
    let store = without_hurry(RedisStore::builder(&server.url())).prefix("").open().unwrap();
    let limiter = patient(RATES, &store);
    admits(&limiter, "");
    assert_eq!(limiter.peek("").unwrap().usage[0].used, 1);
    assert_eq!(limiter.list("", None, 10).unwrap().keys, [""]);
}

#[test]
fn a_list_passes_over_what_is_no_bucket_or_under_another_prefix() {
    let server = RedisServer::start();
    for prefix in ["", "scupper:"] {
        let store = without_hurry(RedisStore::builder(&server.url())).prefix(prefix).open().unwrap();
        let limiter = patient(RATES, &store);
        for (number, (command, _)) in FOREIGN.iter().enumerate() {
            make(&server, command, &format!("{prefix}key-{number}"));
        }
        let _ =
            server.command(&[b"SET".as_slice(), &[prefix.as_bytes(), b"key-\xff\xfe"].concat(), b"no text"]).granted();
        let _ = server.command(&["SET", "other:key", "x"]).granted();
        admits(&limiter, "key-a");
        admits(&limiter, "key-b");
        let mut keys = limiter.list("key", None, 100).unwrap().keys;
        keys.sort();
        assert_eq!(keys, ["key-a", "key-b"]);
        let _ = server.command(&["FLUSHALL"]);
    }
}
