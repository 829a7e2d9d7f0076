//! What is asked of a bucket moves no more between it and the store the longer its log is.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::Duration;

use scupper::store::{Action, Operation, Reply, Verdict};
use scupper::{PostgresStore, Quota};
use support::postgres::{Bed, quota, submit, without_hurry};

const RATES: &str = "5000/s, 1000000/h";
const KEY: &str = "user:42";

/// Gives the bucket so many full chunks, of single units that were admitted in the last minutes.
fn lengthen(bed: &Bed, chunks: u32) {
    bed.ask(&format!(
        "DELETE FROM {{s}}.chunk;
         UPDATE {{s}}.bucket SET recent = '{{}}', base = 0, spilled = 64 * {chunks}, first = 0, last = {chunks}, in_last = 64,
             slots = {slots}, head[5] = {{s}}.clock(), head[6] = 64 * {chunks};
         INSERT INTO {{s}}.chunk (bucket, slot, number, starts, events)
             SELECT b.id, n, n, 64 * n, ARRAY(
                 SELECT unnest(ARRAY[b.head[5] - 1000 * (64 * {chunks} - 64 * n - i), 64 * n + i]) FROM generate_series(1, 64) AS i)
             FROM {{s}}.bucket AS b, generate_series(0, {chunks} - 1) AS n",
        slots = 2 * chunks.next_power_of_two()
    ));
}

/// How many bytes go through the proxy for this.
fn bytes(bed: &Bed, store: &PostgresStore, operation: &Operation<'_>) -> u64 {
    let moved = || bed.proxy.bytes_sent() + bed.proxy.bytes_received();
    let before = moved();
    submit(store, operation).unwrap();
    moved() - before
}

/// All of it on one connection: of everything but an acquire, which the server decides by itself.
fn moved(bed: &Bed, store: &PostgresStore, quota: &Quota, chunks: u32) -> Vec<(&'static str, u64)> {
    lengthen(bed, chunks);
    let acquire = Operation::acquire(KEY, quota, 3);
    let Ok(Reply::Acquired(Verdict::Admitted(given))) = submit(store, &acquire) else { panic!("it fits") };
    let hold = Action::Hold { quota, duration: Duration::from_millis(1) };
    let operations = [
        ("acquire", acquire.action),
        ("look", Action::Peek { quota }),
        ("hold", hold),
        ("penalty", Action::Penalize { quota, units: 7 }),
        ("refund", Action::Refund(given)),
        ("reset", Action::Reset),
    ];
    operations.into_iter().map(|(name, action)| (name, bytes(bed, store, &Operation::new(KEY, action)))).collect()
}

#[test]
fn promise_7_nothing_that_is_asked_of_a_bucket_moves_more_the_longer_its_log_is() {
    let bed = Bed::new();
    let (store, quota) = (without_hurry(bed.builder()).connect_blocking().unwrap(), quota(RATES));
    submit(&store, &Operation::acquire(KEY, &quota, 1)).unwrap();
    // What the connection is to know of the statements.
    moved(&bed, &store, &quota, 1);
    let (short, long) = (moved(&bed, &store, &quota, 3), moved(&bed, &store, &quota, 2_000));
    for ((name, short), (_, long)) in short.into_iter().zip(long) {
        // The chunk that is the newest may come along, of 64 events.
        assert!(long < short + 2_000, "{name}: {short} bytes at 192 events, {long} at 128,000");
        assert!(long < 8_000, "{name}: {long} bytes");
    }
}

/// Rows of chunks that the server reads for this.
fn chunks_read(bed: &Bed, sql: &str) -> i64 {
    // By the index, and without.
    let read = "SELECT pg_stat_get_xact_tuples_fetched('{s}.chunk_pkey'::regclass) \
                + pg_stat_get_xact_tuples_returned('{s}.chunk'::regclass)";
    bed.ask("BEGIN");
    let before = bed.ask(read).number();
    bed.ask(sql);
    let after = bed.ask(read).number();
    bed.ask("COMMIT");
    after - before
}

#[test]
fn promise_7_the_server_finds_what_it_looks_for_in_a_few_chunks_of_a_long_log() {
    let bed = Bed::new();
    let (store, quota) = (bed.direct(), quota(RATES));
    submit(store, &Operation::acquire(KEY, &quota, 1)).unwrap();
    lengthen(&bed, 2_000);
    // In the newest events, in the middle, before all of them.
    for since in ["head[5] + 1", "head[5] - 60000000", "0"] {
        let interval = format!("SELECT {{s}}.look(id, ARRAY[head[5] - ({since})]) FROM {{s}}.bucket");
        let looked_at = chunks_read(&bed, &interval);
        assert!((1..=15).contains(&looked_at), "{looked_at} chunks for a look from {since} on");
    }
    let end = chunks_read(&bed, "SELECT {s}.chunks_from(id, head[5] + 1) FROM {s}.bucket");
    assert!((1..=15).contains(&end), "{end} chunks for the end of a log");
    let half = chunks_read(&bed, "SELECT {s}.chunks_from(id, head[5] - 64000000) FROM {s}.bucket");
    assert!((1_000..=1_020).contains(&half), "{half} chunks for half of a log");
}
