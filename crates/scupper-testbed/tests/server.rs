//! A server starts, answers, stalls, dies, comes back, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::io::ErrorKind;
use std::panic::catch_unwind;

use scupper_testbed::{Client, RedisServer, Reply, SharedRedis, free_port};

fn refused(port: u16) -> bool {
    Client::connect(port).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn a_server_starts_and_answers() {
    let server = RedisServer::start();
    assert_eq!(server.command(&["PING"]), Reply::Status("PONG".to_owned()));
    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
}

#[test]
fn a_dropped_server_is_gone() {
    let server = RedisServer::start();
    let port = server.port();
    drop(server);
    assert!(refused(port));
}

#[test]
fn a_killed_server_comes_back_empty_on_its_port() {
    let server = RedisServer::builder().port(free_port()).start();
    let _ = server.command(&["SET", "key", "value"]).granted();
    server.kill();
    assert!(refused(server.port()));
    server.restart();
    assert_eq!(server.command(&["GET", "key"]), Reply::Nil);
}

#[test]
fn a_running_server_is_restarted() {
    let server = RedisServer::start();
    let mut client = server.client().unwrap();
    server.restart();
    assert!(client.command(&["PING"]).is_err());
    assert_eq!(server.command(&["PING"]).text(), "PONG");
}

#[test]
fn a_stalled_server_answers_when_it_goes_on() {
    let server = RedisServer::start();
    let mut client = server.client().unwrap();
    server.stall();
    client.send(&["INCR", "n"]).unwrap();
    server.go_on();
    assert_eq!(client.receive().unwrap(), Reply::Integer(1));
}

#[test]
fn a_stalled_server_can_be_killed() {
    let server = RedisServer::start();
    server.stall();
    server.kill();
    assert!(refused(server.port()));
}

#[test]
fn a_server_asks_for_its_password() {
    let server = RedisServer::builder().password("open-sesame").start();
    assert_eq!(server.url(), format!("redis://:open-sesame@127.0.0.1:{}", server.port()));
    assert_eq!(server.command(&["PING"]).text(), "PONG");
    let mut stranger = Client::connect(server.port()).unwrap();
    assert!(stranger.command(&["PING"]).unwrap().text().starts_with("NOAUTH"));
}

#[test]
fn forgotten_scripts_are_unknown() {
    let server = RedisServer::start();
    let digest = server.command(&["SCRIPT", "LOAD", "return 1"]).text();
    assert_eq!(server.command(&["EVALSHA", &digest, "0"]), Reply::Integer(1));
    server.flush_scripts();
    assert!(server.command(&["EVALSHA", &digest, "0"]).text().starts_with("NOSCRIPT"));
}

#[test]
fn a_line_that_redis_refuses_is_shown() {
    let refused = catch_unwind(|| RedisServer::builder().line("maxmemery 3mb").start()).unwrap_err();
    let message = refused.downcast_ref::<String>().unwrap();
    assert!(message.contains("maxmemery"), "{message}");
}

#[test]
fn a_port_that_is_taken_is_not_answered_for() {
    let first = RedisServer::start();
    let port = first.port();
    let taken = catch_unwind(|| RedisServer::builder().port(port).start()).unwrap_err();
    let message = taken.downcast_ref::<String>().unwrap();
    assert!(message.contains("Address already in use"), "{message}");
    assert_eq!(first.command(&["PING"]).text(), "PONG");
}

#[test]
fn the_shared_server_is_one() {
    assert_eq!(SharedRedis::get().url(), SharedRedis::get().url());
    assert_ne!(SharedRedis::get().prefix(), SharedRedis::get().prefix());
}
