//! Sentinel names the primary, and another when that one is exchanged or lost.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use scupper_testbed::{RedisSentinel, Reply};

#[test]
fn sentinel_names_the_other_when_it_is_told_to_and_when_the_primary_dies() {
    let servers = RedisSentinel::start();
    let (first, second) = (servers.primary().port(), servers.replica().port());
    assert_eq!(servers.url(), format!("redis+sentinel://127.0.0.1:{}/mymaster", servers.sentinel().port()));
    let mut client = servers.primary().client().unwrap();
    assert_eq!(client.command(&["SET", "key", "value"]).unwrap().text(), "OK");
    assert_eq!(client.command(&["WAIT", "1", "10000"]).unwrap(), Reply::Integer(1));

    servers.fail_over();
    assert_eq!((servers.primary().port(), servers.replica().port()), (second, first));
    assert_eq!(servers.primary().command(&["GET", "key"]).text(), "value");
    assert!(servers.replica().command(&["SET", "key", "lost"]).text().starts_with("READONLY"));
    servers.await_replica();

    servers.kill_primary();
    assert_eq!(servers.primary().port(), first);
    assert_eq!(servers.primary().command(&["GET", "key"]).text(), "value");
    servers.replica().restart();
    servers.await_replica();
}

#[test]
fn the_servers_and_sentinel_ask_for_their_passwords() {
    let servers = RedisSentinel::builder().password("open-sesame").sentinel_password("tell-me").start();
    assert!(servers.url().starts_with("redis+sentinel://:open-sesame@127.0.0.1:"));
    servers.kill_primary();
    assert_eq!(servers.primary().command(&["PING"]).text(), "PONG");
}
