//! What meets another transaction on the server is tried again, a bounded number of times; what fails for the sake of one bucket
//! spoils no other.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::store::{Action, Batch, Operation, Store};
use scupper::{Error, ErrorKind, PostgresStore};
use scupper_testbed::{PostgresServer, PostgresServerBuilder};
use support::postgres::{Bed, admits, patient, quota, refused, submit, without_hurry};

const RATES: &str = "1000/h";
const KEY: &str = "user:42";

/// Has the server refuse so many times, with this code, whoever asks for the time, but for a sweep, which comes when it comes; a
/// sequence counts on through what is undone.
fn refuse(bed: &Bed, times: u32, code: &str) {
    bed.ask(&format!(
        "DROP SEQUENCE IF EXISTS {{s}}.tries; CREATE SEQUENCE {{s}}.tries; GRANT ALL ON {{s}}.tries TO PUBLIC; \
         CREATE OR REPLACE FUNCTION {{s}}.clock() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN \
         IF current_query() NOT LIKE '%sweep%' AND nextval('{{s}}.tries') <= {times} THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{code}'; END IF; \
         RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint; END $$"
    ));
}

fn tries(bed: &Bed) -> i64 {
    bed.ask("SELECT last_value FROM {s}.tries").number()
}

#[test]
fn promise_8_what_met_another_transaction_is_tried_again_and_counts_once() {
    let bed = Bed::new();
    let (store, quota) = (bed.store(), quota(RATES));
    let limiter = patient(RATES, &store);
    let mut used = 0;
    for code in ["40P01", "40001", "26000", "42P05", "25P02"] {
        for times in 1..=3 {
            refuse(&bed, times, code);
            admits(&limiter, KEY);
            assert_eq!(tries(&bed), i64::from(times) + 1, "{code}");
            refuse(&bed, times, code);
            submit(&store, &Operation::new(KEY, Action::Penalize { quota: &quota, units: 1 })).unwrap();
            used += 2;
            assert_eq!(bed.used(KEY, RATES), used, "{code}");
        }
    }
}

#[test]
fn promise_8_what_meets_others_again_and_again_is_an_error_in_the_end_and_took_nothing() {
    let bed = Bed::new();
    let (store, quota) = (bed.store(), quota(RATES));
    let limiter = patient(RATES, &store);
    for code in ["40P01", "40001", "26000", "42P05", "25P02"] {
        refuse(&bed, 1_000, code);
        let error = refused(limiter.try_acquire(KEY));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains(code), "{error}");
        assert!(tries(&bed) <= 10, "{}", tries(&bed));
        let penalty = Operation::new(KEY, Action::Penalize { quota: &quota, units: 1 });
        assert_eq!(submit(&store, &penalty).unwrap_err().kind(), ErrorKind::Unavailable);
        refuse(&bed, 0, code);
        assert_eq!(bed.used(KEY, RATES), 0);
    }
    admits(&limiter, KEY);
}

#[test]
fn promise_8_what_the_server_refuses_for_want_of_room_is_unavailable_and_took_nothing() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    for code in ["53100", "53200", "53400", "57014", "55P03", "XX000"] {
        refuse(&bed, 1_000, code);
        let error = refused(limiter.try_acquire(KEY));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        refuse(&bed, 0, code);
        assert_eq!(bed.used(KEY, RATES), 0);
    }
    admits(&limiter, KEY);
}

#[test]
fn what_is_wrong_with_one_bucket_is_no_matter_of_those_who_went_out_together_with_it() {
    let bed = Bed::new();
    let (store, quota) = (bed.store(), quota(RATES));
    bed.ask(
        "CREATE FUNCTION {s}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'on purpose' USING ERRCODE = '22000'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {s}.bucket FOR EACH ROW WHEN (new.key = 'user:spoilt') \
         EXECUTE FUNCTION {s}.refuse()",
    );
    let keys = ["user:a", "user:b", "user:spoilt", "user:c"];
    for turn in 1..=3 {
        let operations = keys.map(|key| Operation::acquire(key, &quota, 1));
        let outcomes = store.submit(Batch::new(&operations)).wait();
        for (key, outcome) in keys.iter().zip(outcomes) {
            if *key == "user:spoilt" {
                assert_eq!(outcome.map(drop).map_err(|error: Error| error.kind()), Err(ErrorKind::Unavailable));
            } else {
                assert!(outcome.is_ok(), "{key}: {outcome:?}");
                assert_eq!(bed.used(key, RATES), turn, "{key}");
            }
        }
    }
    assert_eq!(bed.used("user:spoilt", RATES), 0);
}

#[test]
fn a_transaction_that_begins_in_another_isolation_is_refused_by_the_function_that_decides() {
    let bed = Bed::new();
    let refusal = bed.session().try_ask(&bed.within(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT {s}.decide('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', true)",
    ));
    assert!(refusal.unwrap_err().message.contains("read committed"));
    bed.ask("ROLLBACK");
}

/// The locks of a server are a table that all who use it share. The function that decides asks for the time when it has its own.
#[test]
fn a_call_for_many_buckets_takes_few_of_the_locks_that_a_server_has() {
    let few =
        ["max_locks_per_transaction = 10", "max_connections = 9", "max_worker_processes = 0", "max_wal_senders = 0"];
    let server = few.into_iter().fold(PostgresServer::builder(), PostgresServerBuilder::line).start();
    let store = without_hurry(PostgresStore::builder(&server.url())).pool(1).connect_blocking().unwrap();
    server.ask(
        "CREATE TABLE scupper.seen (locks int); GRANT ALL ON scupper.seen TO scupper; \
         CREATE OR REPLACE FUNCTION scupper.clock() RETURNS bigint LANGUAGE sql VOLATILE AS $$ \
         INSERT INTO scupper.seen SELECT count(*) FROM pg_locks \
         WHERE locktype = 'advisory' AND pid = pg_backend_pid() \
         HAVING current_query() NOT LIKE '%sweep%'; \
         SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$",
    );
    let (quota, keys) = (quota(RATES), (0..2_000).map(|key| format!("user:{key}")).collect::<Vec<_>>());
    let operations: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 1)).collect();
    let refused = store.submit(Batch::new(&operations)).wait().into_iter().find_map(Result::err);
    assert!(refused.is_none(), "{refused:?}");
    assert_eq!(server.ask("SELECT count(*) FROM scupper.bucket").number(), 2_000);
    let most = server.ask("SELECT max(locks) FROM scupper.seen").number();
    let calls = server.ask("SELECT count(*) FROM scupper.seen").number();
    assert!((1..=64).contains(&most) && calls <= 100, "{calls} calls, of up to {most} locks");
}
