//! Redis has no room, throws away what it likes, or may not write: whoever asks is told, and nothing is half done.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::thread;

use scupper::store::{Action, Admission, Batch, Operation, Reply, Store, Verdict};
use scupper::{Algorithm, Decision, ErrorKind, Quota, Timestamp};
use scupper_testbed::{RedisServer, Reply as Answer, await_that};
use support::SECOND;
use support::redis::{admits, limiting, open, patient, quota, refused, submit, used};

const RATES: &str = "5/h";

/// What a server says while it refuses changes, and how to bring that about and end it.
struct Refusal {
    says: &'static str,
    begin: fn(&RedisServer),
    end: fn(&RedisServer),
}

fn set(server: &RedisServer, name: &str, value: &str) {
    let _ = server.command(&["CONFIG", "SET", name, value]).granted();
}

const REFUSALS: [Refusal; 3] = [
    Refusal {
        says: "OOM command not allowed when used memory > 'maxmemory'",
        begin: |server| set(server, "maxmemory", "1"),
        end: |server| set(server, "maxmemory", "0"),
    },
    Refusal {
        says: "NOREPLICAS Not enough good replicas",
        begin: |server| set(server, "min-replicas-to-write", "1"),
        end: |server| set(server, "min-replicas-to-write", "0"),
    },
    Refusal { says: "MISCONF", begin: fail_to_save, end: |server| set(server, "save", "") },
];

/// Has saving fail, as a full disk would: a folder has the name of the file.
fn fail_to_save(server: &RedisServer) {
    let folder = server.command(&["CONFIG", "GET", "dir"]).array()[1].text();
    fs::create_dir_all(Path::new(&folder).join("dump.rdb/in the way")).unwrap();
    set(server, "save", "3600 1");
    await_that("saving has failed", || {
        // One may be under way.
        let _ = server.command(&["BGSAVE"]);
        server.command(&["INFO", "persistence"]).text().contains("rdb_last_bgsave_status:err")
    });
}

fn bucket(server: &RedisServer, key: &str) -> Answer {
    server.command(&["GET", &format!("scupper:{key}")])
}

#[test]
fn promise_8_a_server_that_takes_no_changes_is_unavailable_and_says_why_and_nothing_is_half_done() {
    for Refusal { says, begin, end } in REFUSALS {
        let server = RedisServer::start();
        let store = open(&server.url());
        for algorithm in Algorithm::ALL {
            let limiter = limiting(RATES, &store).algorithm(algorithm).build().unwrap();
            let (full, part) = (format!("{algorithm}-full"), format!("{algorithm}-part"));
            for _ in 0..5 {
                admits(&limiter, &full);
            }
            let permit = limiter.acquire(&part).unwrap();
            let before = [&full, &part].map(|key| bucket(&server, key));
            begin(&server);
            for key in ["new", &part] {
                let error = refused(limiter.try_acquire(key));
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.message().contains(says) && error.message().contains("nothing was taken"), "{error}");
                assert_eq!(limiter.acquire(key).unwrap_err().kind(), ErrorKind::Unavailable);
                assert_eq!(limiter.penalize(key, 3).unwrap_err().kind(), ErrorKind::Unavailable);
                assert_eq!(limiter.hold(key, SECOND).unwrap_err().kind(), ErrorKind::Unavailable);
            }
            assert_eq!(limiter.reset(&part).unwrap_err().kind(), ErrorKind::Unavailable);
            assert_eq!(limiter.refund(permit).unwrap_err().kind(), ErrorKind::Unavailable);
            // What needs no change is answered, also when the script has to be sent again.
            server.flush_scripts();
            assert_eq!(limiter.peek(&part).unwrap().usage[0].used, 1);
            assert_eq!(limiter.peek("new").unwrap().usage[0].used, 0);
            assert!(matches!(limiter.try_acquire(&full).unwrap(), Decision::Denied(_)));
            assert_eq!(limiter.list(&full, None, 10).unwrap().keys, [full.as_str()]);
            assert_eq!([&full, &part].map(|key| bucket(&server, key)), before);
            assert_eq!(bucket(&server, "new"), Answer::Nil);
            end(&server);
            admits(&limiter, &part);
            assert_eq!(limiter.peek(&part).unwrap().usage[0].used, 2);
        }
    }
}

#[test]
fn promise_3_a_batch_without_room_is_answered_where_it_needs_none() {
    let server = RedisServer::start();
    let (store, quota) = (open(&server.url()), quota(RATES));
    for _ in 0..5 {
        submit(&store, &Operation::acquire("full", &quota, 1)).unwrap();
    }
    let _ = server.command(&["RPUSH", "scupper:foreign", "a"]).granted();
    set(&server, "maxmemory", "1");
    let keys = ["new-a", "full", "foreign", "new-b"];
    let operations = keys.map(|key| Operation::acquire(key, &quota, 1));
    let outcomes = store.submit(Batch::new(&operations)).wait();
    let kind = |place: usize| outcomes[place].as_ref().unwrap_err().kind();
    assert_eq!((kind(0), kind(2), kind(3)), (ErrorKind::Unavailable, ErrorKind::Corrupt, ErrorKind::Unavailable));
    assert!(matches!(outcomes[1], Ok(Reply::Acquired(Verdict::Denied(_)))));
}

#[test]
fn promise_3_a_log_that_would_have_to_grow_and_may_not_is_left_as_it_is() {
    let server = RedisServer::start();
    let store = open(&server.url());
    let limiter = patient("1000/h", &store);
    // Whatever is next to be done to the log: to append, to move, to grow.
    for count in 1..=60 {
        admits(&limiter, "key");
        let before = bucket(&server, "key");
        set(&server, "maxmemory", "1");
        assert_eq!(refused(limiter.try_acquire("key")).kind(), ErrorKind::Unavailable);
        assert_eq!(bucket(&server, "key"), before, "with {count} events");
        set(&server, "maxmemory", "0");
        assert_eq!(limiter.peek("key").unwrap().usage[0].used, count);
    }
}

#[test]
fn buckets_that_are_evicted_begin_anew_and_nothing_else_goes_wrong() {
    for policy in ["volatile-ttl", "volatile-random", "allkeys-lru"] {
        let server = RedisServer::builder().line("maxmemory 3mb").line(&format!("maxmemory-policy {policy}")).start();
        let store = open(&server.url());
        let quotas = Algorithm::ALL.map(|algorithm| Quota::new(algorithm, "20/h").unwrap());
        thread::scope(|threads| {
            for (thread, quota) in quotas.iter().enumerate() {
                let store = &store;
                threads.spawn(move || {
                    for round in 0..40 {
                        let keys: Vec<String> =
                            (0..250).map(|number| format!("{thread}-{}", (number * 7 + round * 31) % 3_000)).collect();
                        let operations: Vec<_> = keys.iter().map(|key| Operation::acquire(key, quota, 1)).collect();
                        for outcome in store.submit(Batch::new(&operations)).wait() {
                            assert!(matches!(outcome, Ok(Reply::Acquired(Verdict::Admitted(_)))), "{outcome:?}");
                        }
                    }
                });
            }
        });
        let info = server.command(&["INFO", "stats"]).text();
        let evicted = info.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap().to_owned();
        assert_ne!(evicted, "0", "the test has to bring it about");
        // A permit of a bucket that began anew is worth nothing there.
        let old = Admission { tick: Timestamp::from_micros(1), weight: 1, sequence: 1 };
        submit(&store, &Operation::acquire("fresh", &quotas[0], 1)).unwrap();
        let refund = Operation::new("fresh", Action::Refund(old));
        assert_eq!(submit(&store, &refund).unwrap(), Reply::Refunded(0));
        assert_eq!(used(&store, "fresh", "20/h"), 1);
    }
}
