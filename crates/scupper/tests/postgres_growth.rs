//! The tables do not grow without bound, however often rows change.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::thread;

use scupper::Limiter;
use scupper_testbed::PostgresServer;
use support::postgres::{Bed, admits, patient, without_hurry};

const KEYS: usize = 100;
const CALLS: usize = 30_000;
const THREADS: usize = 8;

/// Calls of one operation each, on a hundred keys in turns; as many as a store can have under way at once.
fn call(limiter: &Limiter, calls: usize) {
    thread::scope(|threads| {
        for thread in 0..THREADS {
            threads.spawn(move || {
                for number in 0..calls / THREADS {
                    admits(limiter, &format!("user:{}", (number * THREADS + thread) % KEYS));
                }
            });
        }
    });
}

#[test]
fn promise_7_rows_that_change_all_the_time_leave_few_dead_ones_and_the_tables_stay_small() {
    let server = PostgresServer::start();
    assert_eq!(server.ask("SHOW autovacuum").text(), "on");
    server.ask("CREATE EXTENSION pgstattuple");
    // Logs that get ever longer, and logs that lose on one end what they get on the other.
    for rates in ["1000000/h", "1000000/2s"] {
        let bed = Bed::before(&server);
        let limiter = patient(rates, &without_hurry(bed.wide_builder()).operations_a_call(1).open().unwrap());
        call(&limiter, CALLS);
        for table in ["bucket", "chunk"] {
            let tuples = bed.ask(&format!(
                "SELECT tuple_count, dead_tuple_count, table_len FROM pgstattuple('{{s}}.{table}'::regclass)"
            ));
            let numbers: Vec<i64> =
                tuples.0[0].iter().map(|number| number.as_ref().unwrap().parse().unwrap()).collect();
            let [live, dead, bytes] = numbers[..] else { panic!("{tuples:?}") };
            println!("{rates} {table}: {live} live, {dead} dead, {bytes} bytes");
            assert!(dead <= 2 * live.max(KEYS.try_into().unwrap()), "{table}: {dead} dead of {live} live");
            // Rows of half a page at the most, and as much room again for their next form; twice as much where a busy machine
            // lets a call stand for a while, as what it may see is not cleared meanwhile.
            let rows = live.max(KEYS.try_into().unwrap());
            assert!(bytes <= 4 * 8_192 * rows, "{table}: {bytes} bytes for {live} rows");
        }
    }
}
