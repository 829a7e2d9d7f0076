//! A program with a client of its own shares buckets with the store.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use proptest::prelude::*;
use scupper::store::{Action, Operation, RedisCall, RedisContents, Reply, Verdict};
use scupper::{Algorithm, ErrorKind, Quota, Timestamp};
use scupper_testbed::{RedisServer, Reply as Answer};
use support::redis::{open, quota, submit};

const RATES: &str = "5/h";

fn bytes(answer: Answer) -> Vec<u8> {
    match answer {
        Answer::Bulk(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// The outcome of a call that is sent as the docs say.
fn carry_out(server: &RedisServer, operation: &Operation<'_>) -> scupper::Result<Reply> {
    let call = RedisCall::new(operation)?;
    let mut words: Vec<Vec<u8>> =
        ["EVALSHA", RedisCall::script_hash(), "1", call.key()].iter().map(|word| word.as_bytes().to_vec()).collect();
    words.extend(call.arguments());
    let mut client = server.client().unwrap();
    let mut answer = client.command(&words).unwrap();
    if matches!(&answer, Answer::Error(words) if words.starts_with("NOSCRIPT")) {
        let _ = client.command(&["SCRIPT", "LOAD", RedisCall::SCRIPT]).unwrap().granted();
        answer = client.command(&words).unwrap();
    }
    call.read(&bytes(answer.granted().array().pop().unwrap()))
}

fn is_admitted(reply: &Reply) -> bool {
    matches!(reply, Reply::Acquired(Verdict::Admitted(_)))
}

#[test]
fn a_call_takes_from_the_bucket_of_the_store_and_the_store_from_that_of_the_call() {
    let server = RedisServer::start();
    let (store, quota) = (open(&server.url()), quota(RATES));
    for turn in 0..8 {
        let reply = if turn % 2 == 0 {
            carry_out(&server, &Operation::acquire("scupper:shared", &quota, 1)).unwrap()
        } else {
            submit(&store, &Operation::acquire("shared", &quota, 1)).unwrap()
        };
        assert_eq!(is_admitted(&reply), turn < 5, "turn {turn}: {reply:?}");
    }
    let peeked = carry_out(&server, &Operation::new("scupper:shared", Action::Peek { quota: &quota })).unwrap();
    assert!(matches!(peeked, Reply::Peeked(snapshot) if snapshot.usage[0].used == 5));
    let reset = carry_out(&server, &Operation::new("scupper:shared", Action::Reset)).unwrap();
    assert!(matches!(reset, Reply::Reset(true)));
}

#[test]
fn a_call_says_of_errors_what_the_store_does() {
    let server = RedisServer::start();
    let quota = quota(RATES);
    let _ = server.command(&["ZADD", "set", "1", "item"]).granted();
    let error = carry_out(&server, &Operation::acquire("set", &quota, 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("pyrate-limiter"), "{error}");

    let call = RedisCall::new(&Operation::acquire("key", &quota, 1)).unwrap();
    for answer in [&b""[..], b"\x01", b"\x02\0\0"] {
        assert_eq!(call.read(answer).unwrap_err().kind(), ErrorKind::Unknown);
    }
    let list = Operation::new("", Action::List { after: None, most: 1 });
    assert_eq!(RedisCall::new(&list).unwrap_err().kind(), ErrorKind::Unsupported);
    let late = Operation::acquire("key", &quota, 1).at(Timestamp::from_micros(u64::MAX));
    assert_eq!(RedisCall::new(&late).unwrap_err().kind(), ErrorKind::InvalidRequest);
}

#[test]
fn the_value_of_a_log_tells_when_each_unit_was_taken() {
    let server = RedisServer::start();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1000/h").unwrap();
    let mut ticks = Vec::new();
    for turn in 1..200_u64 {
        let (at, weight) = (Timestamp::from_micros(turn * 1_000), 1 + turn % 3);
        let _ = carry_out(&server, &Operation::acquire("log", &quota, weight).at(at)).unwrap();
        ticks.extend((0..weight).map(|_| at));
        if turn % 20 == 1 {
            let contents = RedisContents::read(&bytes(server.command(&["GET", "log"]))).unwrap();
            assert_eq!(contents.quota(), &quota);
            let newest_first: Vec<Timestamp> = (0..).map_while(|before| contents.unit(before)).collect();
            assert!(newest_first.iter().eq(ticks.iter().rev()), "turn {turn}");
            assert_eq!(contents.unit(u64::MAX), None);
            assert!(contents.drained().is_empty());
        }
    }
}

#[test]
fn the_value_of_tokens_tells_when_they_have_drained() {
    let server = RedisServer::start();
    let quota = Quota::new(Algorithm::Gcra, "3/1us, 4/1s").unwrap();
    let _ = carry_out(&server, &Operation::acquire("tokens", &quota, 2).at(Timestamp::from_micros(10))).unwrap();
    let contents = RedisContents::read(&bytes(server.command(&["GET", "tokens"]))).unwrap();
    assert_eq!(contents.drained(), [(10, 2), (500_010, 0)]);
    assert_eq!(contents.unit(0), None);
}

proptest! {
    #[test]
    fn no_value_is_more_than_unreadable(rest in prop::collection::vec(any::<u8>(), 0..300), zeroed in 0_usize..300) {
        let mut value = [b"scupper1".to_vec(), rest].concat();
        value.iter_mut().skip(8).take(zeroed).for_each(|byte| *byte = 0);
        if let Ok(contents) = RedisContents::read(&value) {
            let _ = (contents.unit(0), contents.drained());
        }
    }
}
