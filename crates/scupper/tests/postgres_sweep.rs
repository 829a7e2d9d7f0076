//! Where idle rows are looked for, and how much leaves at once.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::collections::HashSet;

use scupper::PostgresStore;
use scupper_testbed::await_that;
use support::postgres::{Bed, admits, patient};

const FIRST: &str = "00000000-0000-0000-0000-000000000000";

/// From now on, each sweep writes down where it began.
fn noted(bed: &Bed) {
    bed.ask(
        "CREATE TABLE {s}.note (nth serial, session int, place uuid); ALTER FUNCTION {s}.sweep RENAME TO sweep_as_made; \
         CREATE FUNCTION {s}.sweep(after uuid, most int, OUT next uuid, OUT looked_at int, OUT removed int) \
         LANGUAGE plpgsql AS $$ BEGIN \
           INSERT INTO {s}.note (session, place) VALUES (pg_backend_pid(), after); \
           SELECT * INTO next, looked_at, removed FROM {s}.sweep_as_made(after, most); \
         END $$",
    );
}

/// All would look at the same rows, and those at the end would wait for all of them.
#[test]
fn promise_7_each_store_begins_to_sweep_elsewhere_and_goes_all_around() {
    let bed = Bed::new();
    noted(&bed);
    bed.ask("INSERT INTO {s}.bucket SELECT md5(n::text)::uuid, '', n % 2, '{}', '{}', 0, 0, 0, 0, 0, 0 FROM generate_series(1, 999) AS n");
    bed.ask("UPDATE {s}.bucket SET idle_from = 9000000000000000000 WHERE idle_from = 1");
    let stores: Vec<PostgresStore> = (0..5).map(|_| bed.store()).collect();
    for store in &stores {
        admits(&patient("1000/h", store), "user:42");
    }
    let first = "SELECT DISTINCT ON (session) place FROM {s}.note ORDER BY session, nth";
    await_that("all have begun", || bed.ask(first).0.len() == stores.len());
    let begun: HashSet<String> = bed.ask(first).column().into_iter().collect();
    assert!(begun.len() == stores.len() && !begun.contains(FIRST), "{begun:?}");
    await_that("all of what is idle has left", || bed.ask("SELECT count(*) FROM {s}.bucket").number() == 501);
    let around = format!("SELECT count(*) FROM {{s}}.note WHERE place = '{FIRST}'");
    await_that("somebody came to the end", || bed.ask(&around).number() > 0);
}

/// One after another without a pause, as long as there is more.
#[test]
fn promise_7_a_log_of_very_many_chunks_leaves_by_itself_and_not_at_once() {
    let bed = Bed::new();
    let store = bed.builder().open().unwrap();
    let limiter = patient("1000/h", &store);
    bed.ask(
        "CREATE TABLE {s}.gone (rows int); \
         CREATE FUNCTION {s}.note_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           INSERT INTO {s}.gone SELECT count(*) FROM old HAVING count(*) > 0; RETURN NULL; END $$; \
         CREATE TRIGGER note_gone AFTER DELETE ON {s}.chunk REFERENCING OLD TABLE AS old EXECUTE FUNCTION {s}.note_gone()",
    );
    admits(&limiter, "user:42");
    bed.ask(
        "INSERT INTO {s}.chunk SELECT id, slot, slot, slot, '{1,2}' FROM {s}.bucket, generate_series(0, 8191) AS slot; \
         UPDATE {s}.bucket SET idle_from = 0, slots = 8192, last = 8192",
    );
    await_that("all has left", || {
        bed.ask("SELECT (SELECT count(*) FROM {s}.bucket) + (SELECT count(*) FROM {s}.chunk)").number() == 0
    });
    let gone = bed.ask("SELECT max(rows), sum(rows) FROM {s}.gone");
    assert_eq!(gone.0, [[Some("1000".to_owned()), Some("8192".to_owned())]]);
    store.last_sweep().unwrap();
}
