//! The script that shows a bucket to a person says what is in it, and changes nothing.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::time::Duration;

use scupper::store::{Action, Batch, Operation, Store};
use scupper::{Algorithm, Quota, RedisStore, Timestamp};
use scupper_testbed::{RedisServer, Reply};

const SHOW: &str = include_str!("../../../docs/show-bucket.lua");

fn show(server: &RedisServer, key: &str) -> Vec<String> {
    let key = format!("scupper:{key}");
    let before = server.command(&["DUMP", &key]);
    let Reply::Array(lines) = server.command(&["EVAL", SHOW, "1", &key]) else { unreachable!("an array of lines") };
    assert_eq!(server.command(&["DUMP", &key]), before, "it changes nothing");
    lines.iter().map(|line| line.text().clone()).collect()
}

#[test]
fn every_form_of_a_bucket_is_shown() {
    let server = RedisServer::start();
    let store = RedisStore::open(&server.url()).unwrap();
    let at = |micros| Timestamp::from_micros(micros);
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "5/s, 100/min").unwrap();
        let key = algorithm.to_string();
        for (tick, weight) in [(60_000_000, 2), (60_000_000, 1), (60_250_000, 1)] {
            let outcomes = store.submit(Batch::from(&Operation::acquire(&key, &quota, weight).at(at(tick)))).wait();
            assert!(outcomes[0].is_ok(), "{outcomes:?}");
        }
    }
    let log = show(&server, "sliding-window-log");
    assert_eq!(log[0], "scupper:sliding-window-log: sliding-window-log 5/1000000us 100/60000000us");
    assert!(log[1].starts_with("time to live 1"), "{log:?}");
    assert_eq!(
        log[2..],
        ["last change at 60.250000, units ever 4", "4 units in the log", "60.000000 3", "60.250000 1"]
    );
    let window = show(&server, "fixed-window");
    assert_eq!(
        window[3..],
        ["5/1000000us: 4 units in the window from 60.000000", "100/60000000us: 4 units in the window from 60.000000"]
    );
    let gcra = show(&server, "gcra");
    assert_eq!(gcra[3..], ["5/1000000us: drained at 60.800000", "100/60000000us: drained at 62.400000"]);

    let quota = Quota::new(Algorithm::Gcra, "5/s").unwrap();
    let hold = Action::Hold { quota: &quota, duration: Duration::from_secs(9) };
    store.submit(Batch::from(&Operation::new("gcra", hold).at(at(60_250_000)))).wait()[0].as_ref().unwrap();
    assert!(show(&server, "gcra").contains(&"nobody before 69.250000".to_owned()));
}

#[test]
fn what_is_no_bucket_is_shown_as_such() {
    let server = RedisServer::start();
    server.command(&["SET", "scupper:text", "anything"]);
    server.command(&["SET", "scupper:later", "scupper2 and more"]);
    server.command(&["ZADD", "scupper:set", "1", "a"]);
    assert_eq!(show(&server, "none"), ["scupper:none: no bucket"]);
    assert_eq!(show(&server, "text"), ["scupper:text: no bucket but a string"]);
    assert_eq!(show(&server, "later"), ["scupper:later: of format 2"]);
    assert_eq!(show(&server, "set"), ["scupper:set: no bucket but a zset"]);
}
