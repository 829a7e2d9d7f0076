//! Whatever a role, a database or a whole server is set to, decisions are the same, and as durable as they are to be.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::Duration;

use scupper::PostgresStore;
use scupper_testbed::{PostgresServer, Session, await_that};
use support::postgres::{Bed, admits, patient, without_hurry};
use support::{HOUR, MILLISECOND, denied};

const MINUTE: Duration = Duration::from_mins(1);
const RATES: &str = "1000/h";
const KEY: &str = "user:42";

/// What a role or a database may be set to, and the store must not depend on.
const SETTINGS: [&str; 14] = [
    "TimeZone = 'Pacific/Chatham'",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_read_only = on",
    "default_transaction_deferrable = on",
    "search_path = public",
    "standard_conforming_strings = off",
    "DateStyle = 'German'",
    "IntervalStyle = 'iso_8601'",
    "synchronous_commit = off",
    "lock_timeout = 1",
    "plan_cache_mode = force_generic_plan",
    "jit_above_cost = 0",
    "client_min_messages = debug5",
];

#[test]
fn whatever_a_role_or_a_database_is_set_to_decisions_are_the_same() {
    let server = PostgresServer::start();
    // Functions that would be found first where the search path said so.
    server
        .ask("CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'");
    // From where no setting of the other database is in force.
    let elsewhere = Session::connect(&server.url_as("postgres").replace("/scupper", "/postgres")).unwrap();
    for (number, setting) in SETTINGS.iter().enumerate() {
        for owner in ["ROLE scupper", "DATABASE scupper"] {
            elsewhere.ask(&format!("ALTER {owner} SET {setting}"));
            let url = format!("{}?connect_timeout=10&schema=for_{number}_{}", server.url(), &owner[..4]);
            // Once it makes the schema, once it finds it, and once those find it who are not set so.
            for taken in [0, 60, 80] {
                if taken == 80 {
                    elsewhere.ask(&format!("ALTER {owner} RESET ALL"));
                }
                let store = PostgresStore::connect_blocking(&url).unwrap_or_else(|error| panic!("{setting}: {error}"));
                let limiter = patient("40/h, 120/d", &store);
                for _ in taken..taken.max(40) {
                    admits(&limiter, "user:42");
                }
                limiter.penalize("user:42", 20).unwrap();
                let denied = denied(&limiter.try_acquire("user:42").unwrap());
                assert!((59 * MINUTE..=HOUR + MILLISECOND).contains(&denied.retry_after()), "{setting}: {denied:?}");
                assert_eq!(limiter.peek("user:42").unwrap().usage[1].used, taken.max(40) + 20, "{setting}");
            }
        }
    }
}

/// From now on, whoever asks for the time writes down how durable its session is, but for a sweep, which comes when it comes. The
/// function that decides asks for it.
fn noting(bed: &Bed) {
    bed.ask(
        "CREATE TABLE {s}.seen (setting text); GRANT ALL ON {s}.seen TO scupper; \
         CREATE OR REPLACE FUNCTION {s}.clock() RETURNS bigint LANGUAGE sql VOLATILE AS $$ \
         INSERT INTO {s}.seen SELECT current_setting('synchronous_commit') WHERE current_query() NOT LIKE '%sweep%'; \
         SELECT 1000000000000000 $$",
    );
}

#[test]
fn what_is_strict_is_on_the_disk_before_it_is_answered_and_what_is_relaxed_need_not_be() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    server.ask("ALTER ROLE scupper SET synchronous_commit = local");
    noting(&bed);
    let seen = |url: &str| -> Vec<String> {
        // Of those who asked before, nobody comes any more.
        await_that("the last sessions have ended", || bed.sessions() == 0);
        bed.ask("TRUNCATE {s}.seen");
        let limiter = patient(RATES, &without_hurry(PostgresStore::builder(url)).open().unwrap());
        admits(&limiter, KEY);
        limiter.penalize(KEY, 1).unwrap();
        drop(limiter);
        bed.ask("SELECT DISTINCT setting FROM {s}.seen").column()
    };
    assert_eq!(seen(bed.url()), ["on"]);
    assert_eq!(seen(&format!("{}&durability=strict", bed.url())), ["on"]);
    assert_eq!(seen(&format!("{}&durability=relaxed", bed.url())), ["off"]);
    // Nothing weaker than what somebody wants for the whole server.
    server.ask("ALTER ROLE scupper SET synchronous_commit = remote_apply");
    assert_eq!(seen(bed.url()), ["remote_apply"]);
}

#[test]
fn what_is_strict_is_so_for_as_long_as_it_is_connected_whatever_the_server_is_set_to_meanwhile() {
    let server = PostgresServer::start();
    let bed = Bed::before(&server);
    noting(&bed);
    let limiter = bed.limiter(RATES);
    admits(&limiter, KEY);
    server.ask("ALTER SYSTEM SET synchronous_commit = off");
    server.ask("SELECT pg_reload_conf()");
    await_that("sessions that are open follow", || bed.ask("SHOW synchronous_commit").text() == "off");
    admits(&limiter, KEY);
    limiter.penalize(KEY, 1).unwrap();
    assert_eq!(bed.sessions(), 1);
    assert_eq!(bed.ask("SELECT DISTINCT setting FROM {s}.seen").column(), ["on"]);
}
