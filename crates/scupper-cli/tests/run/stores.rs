//! Stores that are not there, or let nobody in.

use scupper_testbed::{Fault, Proxy, RedisServer, free_port};

use crate::support::{ended, scupper};

#[test]
fn a_store_that_is_away_is_125_with_a_reason() {
    let mut run = scupper("--rate 5/h --timeout 1h -- echo ran");
    let ended = ended(run.env("SCUPPER_STORE", format!("redis://127.0.0.1:{}", free_port())));
    assert_eq!((ended.code(), ended.output.as_slice()), (Some(125), b"".as_slice()));
    assert!(ended.errors.starts_with("scupper: store unavailable: "), "{}", ended.errors);
    assert!(ended.errors.ends_with("nothing was taken or run\n"), "{}", ended.errors);
}

#[test]
fn a_store_that_cuts_the_line_after_it_was_asked_is_125_and_says_that_units_may_be_taken() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.set(Fault::cut_after_send().when_sent("the-key"));
    let mut run = scupper("--rate 5/h --key the-key -- echo ran");
    let ended = ended(run.env("SCUPPER_STORE", format!("redis://127.0.0.1:{}", proxy.port())));
    assert_eq!((ended.code(), ended.output.as_slice()), (Some(125), b"".as_slice()));
    assert!(ended.errors.starts_with("scupper: outcome unknown: "), "{}", ended.errors);
    assert!(ended.errors.ends_with("nothing was run, and the units may have been taken\n"), "{}", ended.errors);
}

#[test]
fn a_store_that_is_not_reached_in_time_is_124_and_takes_nothing() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.set(Fault::stall());
    let mut run = scupper("--rate 5/h --timeout 100ms -- echo ran");
    let ended = ended(run.env("SCUPPER_STORE", format!("redis://127.0.0.1:{}", proxy.port())));
    assert_eq!(ended.code(), Some(124), "{ended:?}");
    assert!(ended.errors.contains("not reached in time; nothing was taken or run"), "{ended:?}");
}

#[test]
fn a_wrong_password_is_a_bad_argument_and_not_shown() {
    let server = RedisServer::builder().password("right").start();
    let mut run = scupper("--rate 5/h -- echo ran");
    let ended = ended(run.env("SCUPPER_STORE", format!("redis://:wrong-one@127.0.0.1:{}", server.port())));
    assert_eq!(ended.code(), Some(2), "{}", ended.errors);
    assert!(!ended.errors.contains("wrong-one"), "{}", ended.errors);
}

#[test]
fn without_a_home_the_default_store_has_no_place() {
    for (name, value) in [("HOME", ""), ("HOME", "relative"), ("XDG_STATE_HOME", "")] {
        let mut run = scupper("--rate 5/h -- echo ran");
        let ended = ended(run.env_remove("HOME").env_remove("XDG_STATE_HOME").env(name, value));
        assert_eq!((ended.code(), ended.output.as_slice()), (Some(125), b"".as_slice()));
        for words in ["XDG_STATE_HOME", "HOME", "--store"] {
            assert!(ended.errors.contains(words), "{}", ended.errors);
        }
    }
}
