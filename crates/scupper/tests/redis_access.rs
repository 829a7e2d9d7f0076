//! Who may not do what the store needs is told what that is; nothing is half done; and when it is put right, the store goes on.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::thread;

use scupper::{Algorithm, Error, ErrorKind, Limiter};
use scupper_testbed::{RedisServer, Reply as Answer, await_that};
use support::redis::{admits, connect, limiting, open, patient, recovers, refused, used};
use support::{HOUR, SECOND};

const RATES: &str = "5/h";

/// What docs/redis.md says that a user needs.
const RIGHTS: [&str; 11] = [
    "+evalsha",
    "+script|load",
    "+get",
    "+getrange",
    "+set",
    "+setrange",
    "+pexpireat",
    "+time",
    "+type",
    "+ping",
    "+scan",
];

fn url(server: &RedisServer, login: &str, rest: &str) -> String {
    format!("redis://{login}127.0.0.1:{}{rest}", server.port())
}

/// Has a user with these rights, and no others.
fn allow(server: &RedisServer, keys: &str, rights: &[&str]) {
    let user = ["ACL", "SETUSER", "limits", "reset", "on", ">secret", keys];
    let _ = server.command(&[&user, rights].concat()).granted();
}

fn limiter_of_user(server: &RedisServer) -> Limiter {
    patient(RATES, &open(&url(server, "limits:secret@", "")))
}

#[track_caller]
fn wants(error: &Error, words: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    for word in words {
        assert!(error.message().contains(word), "{word:?} in {error}");
    }
    assert!(!error.to_string().contains("secret") && !format!("{error:?}").contains("secret"), "{error:?}");
}

#[test]
fn a_login_that_is_wrong_is_told_where_to_say_it_right() {
    let locked = RedisServer::builder().password("open-sesame").start();
    let without = RedisServer::start();
    for (server, login, rest, words) in [
        (&locked, "", "", &["wants a password", "redis://:password@host"][..]),
        (&locked, ":secret@", "", &["does not know the default user with this password"]),
        (&locked, "nobody:secret@", "", &["does not know the user `nobody` with this password"]),
        (&without, ":secret@", "", &["has no password for the default user", "leave out user and password"]),
        (&without, "nobody:secret@", "", &["does not know the user `nobody` with this password"]),
        (&without, "", "/99", &["has no database 99"]),
    ] {
        let url = url(server, login, rest);
        wants(&connect(&url).unwrap_err(), words);
        let limiter = patient(RATES, &open(&url));
        for _ in 0..3 {
            wants(&refused(limiter.try_acquire("key")), words);
            wants(&limiter.acquire("key").unwrap_err(), words);
            wants(&limiter.peek("key").unwrap_err(), words);
            wants(&limiter.list("", None, 10).unwrap_err(), words);
        }
    }
}

#[test]
fn a_user_with_the_documented_rights_can_do_everything() {
    let server = RedisServer::start();
    allow(&server, "~scupper:*", &RIGHTS);
    for algorithm in Algorithm::ALL {
        let store = connect(&url(&server, "limits:secret@", "")).unwrap();
        let limiter = limiting("1000/h", &store).algorithm(algorithm).build().unwrap();
        let key = algorithm.to_string();
        for _ in 0..60 {
            admits(&limiter, &key);
        }
        assert_eq!(limiter.refund(limiter.acquire(&key).unwrap()).unwrap(), 1);
        limiter.penalize(&key, 10).unwrap();
        limiter.hold(&key, HOUR).unwrap();
        assert_eq!(limiter.list(&key, None, 10).unwrap().keys, [key.as_str()]);
        assert!(limiter.reset(&key).unwrap());
        let _ = server.command(&["RPUSH", "scupper:foreign", "a"]);
        assert_eq!(refused(limiter.try_acquire("foreign")).kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_user_without_one_of_the_rights_is_told_all_and_nothing_is_half_done() {
    let server = RedisServer::start();
    let all = open(&server.url());
    for missing in RIGHTS {
        server.flush_scripts();
        let _ = server.command(&["FLUSHALL"]).granted();
        allow(&server, "~scupper:*", &RIGHTS.into_iter().filter(|right| *right != missing).collect::<Vec<_>>());
        let limiter = limiter_of_user(&server);
        let mut errors = 0;
        // Says whether it was done; where it was not, the server has what it had before.
        let mut tried = |key: &str, outcome: &dyn Fn() -> Result<(), Error>| {
            let value = || server.command(&["GET", &format!("scupper:{key}")]);
            let before = value();
            match outcome() {
                Ok(()) => true,
                Err(error) => {
                    wants(
                        &error,
                        &["does not let this user", "EVALSHA, SCRIPT LOAD, GET, SET, GETRANGE", "docs/redis.md"],
                    );
                    assert_eq!(value(), before, "without {missing}");
                    errors += 1;
                    false
                }
            }
        };
        let mut taken = 0;
        for _ in 0..4 {
            let done = tried("key", &|| limiter.try_acquire("key").map(|decision| assert!(decision.is_admitted())));
            taken += u64::from(done);
        }
        assert_eq!(used(&all, "key", RATES), taken, "without {missing}");
        tried("key", &|| limiter.hold("key", 2 * HOUR).map(drop));
        tried("key", &|| limiter.peek("key").map(drop));
        tried("key", &|| limiter.list("", None, 10).map(drop));
        tried("key", &|| limiter.reset("key").map(drop));
        // A bucket whose other rates do not fit what is read at once.
        let store = open(&url(&server, "limits:secret@", ""));
        let many = |number| limiting(&format!("1/{number}h"), &store).algorithm(Algorithm::Gcra).build().unwrap();
        let many: Vec<Limiter> = (1..12).map(many).collect();
        for limiter in many {
            tried("many", &|| limiter.penalize("many", 1).map(drop));
        }
        // Where no bucket has been, a hash must be told from nothing.
        let _ = server.command(&["SET", "scupper:foreign", ""]);
        if let Err(error) = limiter.try_acquire("foreign") {
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidConfig), "{error}");
            errors += u32::from(error.kind() == ErrorKind::InvalidConfig);
        }
        // Whoever may not greet may do all the rest.
        assert_eq!(errors > 0, missing != "+ping", "without {missing}");
        allow(&server, "~scupper:*", &RIGHTS);
        await_that("the right is enough", || limiter.reset("key").is_ok());
        recovers(&limiter, "key");
    }
}

#[test]
fn promise_3_a_bucket_whose_life_may_not_be_prolonged_is_left_as_it_is() {
    let server = RedisServer::start();
    allow(&server, "~scupper:*", &RIGHTS.into_iter().filter(|right| *right != "+pexpireat").collect::<Vec<_>>());
    let [all, user] = ["", "limits:secret@"].map(|login| open(&url(&server, login, "")));
    for algorithm in Algorithm::ALL {
        let [all, user] = [&all, &user].map(|store| limiting(RATES, store).algorithm(algorithm).build().unwrap());
        let (key, place) = (algorithm.to_string(), format!("scupper:{algorithm}"));
        admits(&all, &key);
        admits(&all, &key);
        // As docs/redis.md has it, this says when the key expires: here, as if seconds had passed.
        let _ = server.command(&[b"SETRANGE", place.as_bytes(), b"70", &[0; 8]]).granted();
        let before = server.command(&["GET", &place]);
        wants(&refused(user.try_acquire(&key)), &["PEXPIREAT"]);
        assert_eq!(server.command(&["GET", &place]), before);
    }
}

/// Whoever connects at its start is told then, not at its first request.
#[test]
fn a_user_who_may_not_run_the_script_or_see_the_keys_is_told_on_connecting() {
    let server = RedisServer::start();
    let url = url(&server, "limits:secret@", "");
    for (keys, rights) in [("~scupper:*", &["+ping"][..]), ("~other:*", &RIGHTS)] {
        allow(&server, keys, rights);
        open(&url);
        wants(&connect(&url).unwrap_err(), &["does not let this user do that"]);
    }
    allow(&server, "~scupper:*", &RIGHTS);
    connect(&url).unwrap();
    let _ = server.command(&["SET", "scupper:", "anything"]).granted();
    connect(&url).unwrap();
}

#[test]
fn a_user_of_other_keys_is_told_of_the_prefix() {
    let server = RedisServer::start();
    allow(&server, "~elsewhere:*", &RIGHTS);
    let limiter = limiter_of_user(&server);
    let error = refused(limiter.try_acquire("key"));
    wants(&error, &["NOPERM", "on keys with the prefix"]);
    let store = open(&url(&server, "limits:secret@", "?prefix=elsewhere:"));
    admits(&patient(RATES, &store), "key");
    assert_eq!(server.command(&["EXISTS", "scupper:key", "elsewhere:key"]), Answer::Integer(1));
}

#[test]
fn a_user_that_is_taken_away_is_an_error_until_it_is_back() {
    let server = RedisServer::start();
    allow(&server, "~scupper:*", &RIGHTS);
    let limiter = limiter_of_user(&server);
    admits(&limiter, "key");
    let _ = server.command(&["ACL", "DELUSER", "limits"]).granted();
    await_that("the server has thrown it out", || match limiter.try_acquire("key") {
        Err(error) => error.kind() == ErrorKind::InvalidConfig,
        Ok(decision) => panic!("{decision:?}"),
    });
    thread::scope(|threads| {
        let waiting = threads.spawn(|| limiter.request("key").timeout(SECOND).acquire().map(drop));
        wants(&waiting.join().unwrap().unwrap_err(), &["does not know the user `limits` with this password"]);
    });
    allow(&server, "~scupper:*", &RIGHTS);
    await_that("it is let in again", || limiter.try_acquire("key").is_ok());
    assert_eq!(limiter.peek("key").unwrap().usage[0].used, 2);
}
