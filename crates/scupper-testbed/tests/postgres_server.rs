//! A Postgres starts, answers, stalls, dies, comes back with what was committed, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::net::{Ipv4Addr, TcpStream};
use std::panic::catch_unwind;

use scupper_testbed::{PostgresServer, Session, SharedPostgres, await_that, free_port};

fn refuses(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
}

#[test]
fn a_server_starts_and_answers_its_superuser_and_its_role() {
    let server = PostgresServer::start();
    assert_eq!(server.ask("SELECT concat_ws(' in ', current_user, current_database())").text(), "postgres in scupper");
    assert_eq!(server.url(), format!("postgres://scupper@127.0.0.1:{}/scupper", server.port()));
    let role = Session::connect(&server.url()).unwrap();
    assert_eq!(role.ask("SELECT current_user").text(), "scupper");
    let refusal = role.try_ask("CREATE ROLE other").unwrap_err();
    assert_eq!(refusal.code.as_deref(), Some("42501"), "{refusal}");
    role.ask("CREATE SCHEMA mine; CREATE TABLE mine.one (number int)");
    assert!(role.ask("SELECT number FROM mine.one").0.is_empty());
}

#[test]
fn only_what_concerns_the_disk_differs_from_the_defaults() {
    let server = PostgresServer::start();
    let settings = ["fsync", "synchronous_commit", "autovacuum", "default_transaction_isolation"];
    let shown = settings.map(|setting| server.ask(&format!("SHOW {setting}")).text());
    assert_eq!(shown, ["off", "on", "on", "read committed"]);
    let durable = PostgresServer::builder().line("fsync = on").start();
    assert_eq!(durable.ask("SHOW fsync").text(), "on");
}

#[test]
fn a_dropped_server_is_gone() {
    let server = PostgresServer::start();
    let session = server.session().unwrap();
    let port = server.port();
    drop(server);
    assert!(refuses(port));
    assert!(session.try_ask("SELECT 1").is_err());
}

#[test]
fn a_killed_server_comes_back_with_what_was_committed_on_its_port() {
    let server = PostgresServer::builder().port(free_port()).start();
    server.ask("CREATE TABLE one AS SELECT 1");
    let session = server.session().unwrap();
    session.ask("BEGIN; INSERT INTO one VALUES (2)");
    server.kill();
    assert!(refuses(server.port()));
    assert!(session.try_ask("COMMIT").is_err());
    server.restart();
    assert_eq!(server.ask("SELECT * FROM one").column(), ["1"]);
}

#[test]
fn a_running_server_is_restarted() {
    let server = PostgresServer::start();
    let session = server.session().unwrap();
    let sleeping = session.send("SELECT pg_sleep(3600)");
    server.restart();
    assert!(sleeping.answer().is_err());
    assert_eq!(server.ask("SELECT 1").number(), 1);
}

#[test]
fn a_server_that_is_told_to_stop_ends_its_sessions() {
    let server = PostgresServer::start();
    let session = server.session().unwrap();
    let id = session.ask("SELECT pg_backend_pid()").number();
    let sleeping = session.send("SELECT pg_sleep(3600)");
    await_that("it sleeps", || {
        server.ask(&format!("SELECT state FROM pg_stat_activity WHERE pid = {id}")).text() == "active"
    });
    server.stop();
    assert!(sleeping.answer().is_err());
    assert!(!server.is_running() && refuses(server.port()));
    server.restart();
    assert_eq!(server.ask("SELECT 1").number(), 1);
}

#[test]
fn a_stalled_server_answers_when_it_goes_on() {
    let server = PostgresServer::start();
    let session = server.session().unwrap();
    session.ask("CREATE TABLE one (number int)");
    server.stall();
    let asked = session.send("INSERT INTO one VALUES (1) RETURNING number");
    server.go_on();
    assert_eq!(asked.answer().unwrap().number(), 1);
}

#[test]
fn a_stalled_server_can_be_killed() {
    let server = PostgresServer::start();
    let _session = server.session().unwrap();
    server.stall();
    server.kill();
    assert!(refuses(server.port()));
    server.restart();
    assert_eq!(server.ask("SELECT 1").number(), 1);
}

#[test]
fn one_session_can_be_stalled_while_others_go_on() {
    let server = PostgresServer::start();
    let session = server.session().unwrap();
    let id = session.ask("SELECT pg_backend_pid()").number();
    server.stall_backend(id);
    let asked = session.send("SELECT 1");
    assert_eq!(server.ask("SELECT 2").number(), 2);
    server.go_on_backend(id);
    assert_eq!(asked.answer().unwrap().number(), 1);
}

#[test]
fn a_killed_session_ends_all_and_the_server_starts_anew_by_itself() {
    let server = PostgresServer::start();
    let [one, other] = [(); 2].map(|()| server.session().unwrap());
    let id = one.ask("SELECT pg_backend_pid()").number();
    server.kill_backend(id);
    assert!(one.try_ask("SELECT 1").is_err());
    await_that("the other session was ended", || other.try_ask("SELECT 1").is_err());
    await_that("it answers again", || server.try_ask("SELECT 1").is_ok());
    assert!(server.is_running());
}

#[test]
fn a_role_needs_its_password_where_the_server_asks_for_it() {
    let server = PostgresServer::builder().allow("host all all 127.0.0.1/32 scram-sha-256").start();
    server.ask("CREATE ROLE guest LOGIN PASSWORD 'open sesame'");
    let guest = Session::connect(&server.url_as("guest:open%20sesame")).unwrap();
    assert_eq!(guest.ask("SELECT current_user").text(), "guest");
    let wrong = Session::connect(&server.url_as("guest:sesame")).unwrap_err();
    assert_eq!(wrong.code.as_deref(), Some("28P01"), "{wrong}");
}

#[test]
fn a_line_that_postgres_refuses_is_shown() {
    let refused = catch_unwind(|| PostgresServer::builder().line("max_connektions = 3").start()).unwrap_err();
    let message = refused.downcast_ref::<String>().unwrap();
    assert!(message.contains("max_connektions"), "{message}");
}

#[test]
fn a_port_that_is_taken_is_not_answered_for() {
    let first = PostgresServer::start();
    let port = first.port();
    let taken = catch_unwind(|| PostgresServer::builder().port(port).start()).unwrap_err();
    let message = taken.downcast_ref::<String>().unwrap();
    assert!(message.contains("Address already in use"), "{message}");
    assert_eq!(first.ask("SELECT 1").number(), 1);
}

#[test]
fn the_shared_server_is_one_and_has_room_for_schemas() {
    let shared = SharedPostgres::get();
    assert_eq!(shared.url(), SharedPostgres::get().url());
    let address = shared.address();
    Session::connect(&shared.url_at(address.port())).unwrap();
    let schema = shared.schema();
    assert_ne!(schema, shared.schema());
    shared.session().ask(&format!("CREATE SCHEMA {schema}; DROP SCHEMA {schema}"));
}
