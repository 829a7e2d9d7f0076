//! Counting in a store that is shared.

use scupper::{Limiter, RedisStore};
use scupper_testbed::{Proxy, RedisServer, SharedRedis, free_port};

use crate::support::{Ended, Running, throttle};

/// A URL with a prefix of its own.
fn url() -> String {
    let redis = SharedRedis::get();
    format!("{}?prefix={}", redis.url(), redis.prefix())
}

trait Finish {
    fn finish(self) -> Ended;
}

impl Finish for Running {
    /// Ends its input, and waits for the end.
    fn finish(mut self) -> Ended {
        drop(self.stdin.take());
        self.end()
    }
}

fn used(url: &str, key: &str) -> u64 {
    let store = RedisStore::open(url).unwrap();
    let limiter = Limiter::builder().rates(["5/h".parse().unwrap()]).store(store).call_timeout(None).build().unwrap();
    limiter.peek(key).unwrap().usage[0].used
}

#[test]
fn runs_that_name_the_same_store_and_key_share_their_rates() {
    let url = url();
    for round in 1..=2 {
        let mut run = Running::new(&mut throttle(&format!("--rate 5/h --store {url} --key mail")));
        run.send("a\nb\n");
        run.expect("a\nb\n");
        assert!(run.finish().status.success());
        assert_eq!((used(&url, "mail"), used(&url, "throttle")), (2 * round, 0));
    }
    // One is left: the second line waits, and the run is ended in its wait.
    let mut run = Running::new(&mut throttle(&format!("--rate 5/h --store {url} --key mail")));
    run.send("a\nb\n");
    run.expect("a\n");
    run.signal(rustix::process::Signal::INT);
    assert_eq!(run.end().output, b"");
    assert_eq!(used(&url, "mail"), 5);
}

#[test]
fn the_store_is_named_by_the_environment_as_well_and_the_key_by_the_command() {
    let url = url();
    let mut run = Running::new(throttle("--rate 5/h --jobs 1 - -- true").env("SCUPPER_STORE", &url));
    run.send("a\n");
    assert!(run.finish().status.success());
    assert_eq!(used(&url, "throttle"), 1);
}

#[test]
fn a_store_that_makes_no_sense_is_a_bad_argument_and_no_password_is_shown() {
    for (url, says) in [
        ("nowhere", "--store: the URL of the store has no ':'"),
        ("redis://user:secret@host:port", "the port of the host"),
        ("redis+sentinel://:secret@host", "names no master"),
        ("rediss://:secret@host?ca=no-such-file", "no-such-file"),
    ] {
        let ended = Running::new(&mut throttle(&format!("--rate 5/h --store {url}"))).finish();
        assert_eq!(ended.status.code(), Some(2), "{url}: {}", ended.errors);
        assert!(ended.errors.contains(says) && !ended.errors.contains("secret"), "{url}: {}", ended.errors);
    }
    let ended = Running::new(&mut throttle("--rate 5/h --key mail")).finish();
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.errors.contains("--store"), "{}", ended.errors);
}

#[test]
fn a_wrong_password_is_a_bad_argument() {
    let server = RedisServer::builder().password("right").start();
    let url = format!("redis://:wrong-one@127.0.0.1:{}", server.port());
    let ended = Running::new(&mut throttle(&format!("--rate 5/h --store {url}"))).finish();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.errors);
    assert!(!ended.errors.contains("wrong-one"), "{}", ended.errors);
}

#[test]
fn a_store_that_is_away_ends_the_run_with_a_reason_and_loses_no_line() {
    let ended = Running::new(&mut throttle(&format!("--rate 5/h --store redis://127.0.0.1:{}", free_port()))).finish();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.errors.contains("store unavailable: "), "{}", ended.errors);

    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let mut run = Running::new(&mut throttle(&format!("--rate 5/h --store redis://127.0.0.1:{}", proxy.port())));
    run.send("a\n");
    run.expect("a\n");
    proxy.set(scupper_testbed::Fault::refuse());
    proxy.close_connections();
    run.send("b\nc\n");
    let ended = run.finish();
    assert_eq!((ended.status.code(), ended.output.as_slice()), (Some(1), b"".as_slice()));
    assert!(ended.errors.contains("127.0.0.1"), "{}", ended.errors);
}
