//! What a role must be allowed is asked for when it connects, and rows that cannot leave are told of.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::{Error, ErrorKind, PostgresStore};
use scupper_testbed::{PostgresServer, Session, await_that};
use support::postgres::{Bed, PATIENCE, admits, patient, refused};

/// A schema of which a role may use just what it needs.
fn with_guest(schema: &str) -> (PostgresServer, String) {
    let server = PostgresServer::start();
    Session::connect(&server.url()).unwrap().ask(&PostgresStore::schema_sql(schema).unwrap());
    let name = format!("\"{schema}\"");
    server.ask(&format!(
        "CREATE ROLE \"a guest\" LOGIN; GRANT USAGE ON SCHEMA {name} TO \"a guest\"; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.bucket, {name}.chunk TO \"a guest\"; \
         REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA {name} FROM PUBLIC; \
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {name} TO \"a guest\""
    ));
    let url = format!("{}?connect_timeout=10&schema={}", server.url_as("a%20guest"), schema.replace(' ', "%20"));
    (server, url)
}

/// The statements that the message says are to be run.
fn remedy(error: &Error) -> String {
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    let (_, grants) = error.message().split_once("run: ").unwrap_or_else(|| panic!("{error}"));
    grants.to_owned()
}

#[test]
fn each_right_that_a_role_lacks_is_named_when_it_connects_and_what_is_named_mends_it() {
    let schema = "the limits'";
    let (server, url) = with_guest(schema);
    admits(&patient("1000/h", &PostgresStore::connect_blocking(&url).unwrap()), "user:42");
    let name = format!("\"{schema}\"");
    let (bucket, chunk) = (format!("{name}.bucket"), format!("{name}.chunk"));
    let mut lacks: Vec<(&str, String)> = vec![("USAGE", format!("SCHEMA {name}"))];
    for right in ["SELECT", "INSERT", "UPDATE", "DELETE", "SELECT, INSERT, UPDATE, DELETE"] {
        lacks.extend([(right, bucket.clone()), (right, chunk.clone())]);
    }
    for (right, of) in lacks {
        server.ask(&format!("REVOKE {right} ON {of} FROM \"a guest\""));
        let error = PostgresStore::connect_blocking(&url).unwrap_err();
        assert_eq!(remedy(&error), format!("GRANT {right} ON {of} TO \"a guest\";"));
        let first = patient("1000/h", &PostgresStore::open(&url).unwrap());
        assert_eq!(remedy(&refused(first.try_acquire("user:42"))), remedy(&error), "who asks first hears the same");
        server.ask(&remedy(&error));
        admits(&patient("1000/h", &PostgresStore::connect_blocking(&url).unwrap()), "user:42");
    }
    let functions = server.ask(&format!(
        "SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = '{}'::regnamespace",
        name.replace('\'', "''")
    ));
    for function in functions.column() {
        server.ask(&format!("REVOKE EXECUTE ON FUNCTION {function} FROM \"a guest\""));
        let error = PostgresStore::connect_blocking(&url).unwrap_err();
        assert_eq!(remedy(&error), format!("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {name} TO \"a guest\";"));
        server.ask(&remedy(&error));
    }
    admits(&patient("1000/h", &PostgresStore::connect_blocking(&url).unwrap()), "user:42");
}

#[test]
fn a_role_that_lacks_several_rights_is_told_of_all_of_them_at_once() {
    let (server, url) = with_guest("limits");
    server.ask(
        "REVOKE ALL ON limits.bucket, limits.chunk FROM \"a guest\"; REVOKE ALL ON SCHEMA limits FROM \"a guest\"; \
         GRANT SELECT ON limits.chunk TO \"a guest\"; REVOKE EXECUTE ON FUNCTION limits.clock() FROM \"a guest\"",
    );
    let error = PostgresStore::connect_blocking(&url).unwrap_err();
    assert_eq!(
        remedy(&error),
        "GRANT USAGE ON SCHEMA \"limits\" TO \"a guest\"; \
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA \"limits\" TO \"a guest\"; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON \"limits\".bucket TO \"a guest\"; \
         GRANT INSERT, UPDATE, DELETE ON \"limits\".chunk TO \"a guest\";"
    );
    server.ask(&remedy(&error));
    admits(&patient("1000/h", &PostgresStore::connect_blocking(&url).unwrap()), "user:42");
}

/// Elsewhere rows would stay for good, and nobody would know.
#[test]
fn promise_7_a_right_to_delete_that_is_taken_away_later_is_told_of_and_so_is_its_return() {
    let (server, url) = with_guest("limits");
    let store = PostgresStore::builder(&url).answer_within(2 * PATIENCE).connect_blocking().unwrap();
    let limiter = patient("1/ms", &store);
    admits(&limiter, "user:42");
    await_that("idle rows leave", || server.ask("SELECT count(*) FROM limits.bucket").number() == 0);
    store.last_sweep().unwrap();
    server.ask("REVOKE DELETE ON limits.bucket FROM \"a guest\"");
    // One that is left alone, and so is idle when it is looked at.
    admits(&limiter, "user:42");
    await_that("somebody is told", || store.last_sweep().is_err_and(|error| error.kind() == ErrorKind::InvalidConfig));
    // Its connections are made anew after that, and they ask.
    await_that("those who ask are told, too", || limiter.try_acquire("user:42").is_err());
    assert_eq!(remedy(&refused(limiter.try_acquire("user:42"))), "GRANT DELETE ON \"limits\".bucket TO \"a guest\";");
    server.ask("GRANT DELETE ON limits.bucket TO \"a guest\"");
    await_that("sweeps succeed again", || store.last_sweep().is_ok());
    await_that("idle rows leave again", || server.ask("SELECT count(*) FROM limits.bucket").number() == 0);
}

#[test]
fn promise_7_a_sweep_that_fails_is_told_of_until_one_succeeds_and_decisions_go_on() {
    let bed = Bed::new();
    let store = bed.builder().pool(2).open().unwrap();
    store.last_sweep().unwrap();
    let limiter = patient("1000/h", &store);
    let sweep = bed.ask("SELECT pg_get_functiondef('{s}.sweep'::regproc)").text();
    bed.ask(
        "CREATE OR REPLACE FUNCTION {s}.sweep(after uuid, most int, OUT next uuid, OUT looked_at int, OUT removed int) \
         LANGUAGE plpgsql AS $$ BEGIN RAISE 'no sweeping today' USING ERRCODE = 'XX002'; END $$",
    );
    admits(&limiter, "user:42");
    await_that("the sweep fails", || store.last_sweep().is_err());
    let error = store.last_sweep().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.message().contains("no sweeping today"), "{error}");
    admits(&limiter, "user:42");
    bed.ask(&sweep);
    await_that("the sweep succeeds", || store.last_sweep().is_ok());
}
