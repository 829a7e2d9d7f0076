//! Idle buckets leave, and no others.

use scupper_testbed::SharedPostgres;

use crate::quota::{Algorithm, Quota};
use crate::store::postgres::differential::asked::{Entry, Run};
use crate::store::postgres::differential::comparison::{Comparison, KEY};

const NOW: u64 = 1_790_000_000_000_000;
pub(super) const FIRST: &str = "00000000-0000-0000-0000-000000000000";

/// Where to go on, how many were looked at, how many have left.
pub(super) fn sweep(comparison: &Comparison, clock: u64, after: &str, most: u64) -> (Option<String>, u64, u64) {
    comparison.server.turn(clock);
    let row = comparison.server.ask(&format!("SELECT * FROM {{s}}.sweep('{after}', {most})")).remove(0);
    let number = |at: usize| row[at].as_deref().unwrap().parse().unwrap();
    (row[0].clone(), number(1), number(2))
}

#[test]
fn promise_7_a_bucket_leaves_at_the_tick_from_which_it_owes_nothing() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "40/80us").unwrap();
        comparison.begin();
        for step in 0..40 {
            comparison.acquire(NOW + step, &quota, 1);
        }
        let idle_from = comparison.model.bucket(KEY).unwrap().idle_from().as_micros();
        assert_eq!(sweep(&comparison, idle_from - 1, FIRST, 100), (None, 1, 0));
        assert!(comparison.server.rows(KEY).is_some());
        assert_eq!(sweep(&comparison, idle_from, FIRST, 100), (None, 1, 1));
        assert!(comparison.server.rows(KEY).is_none());
        assert_eq!(comparison.server.ask("SELECT FROM {s}.chunk"), Vec::<Vec<_>>::new());
    }
}

#[test]
fn promise_7_the_sweep_goes_on_where_it_was_to_the_end() {
    let comparison = Comparison::new();
    comparison.server.ask(
        "INSERT INTO {s}.bucket SELECT md5(n::text)::uuid, '', CASE WHEN n % 3 = 0 THEN 1 ELSE 9 END, '{}', '{}', 0, 0, 0, 0, 0, 0 \
         FROM generate_series(1, 25) AS n",
    );
    let (mut after, mut looked_at, mut removed, mut steps) = (FIRST.to_owned(), 0, 0, 0);
    loop {
        let (next, seen, gone) = sweep(&comparison, 5, &after, 7);
        (looked_at, removed, steps) = (looked_at + seen, removed + gone, steps + 1);
        let Some(next) = next else { break };
        after = next;
    }
    assert_eq!((looked_at, removed, steps), (25, 8, 4));
    assert_eq!(
        comparison.server.ask("SELECT count(*) FROM {s}.bucket WHERE idle_from = 9")[0][0].as_deref(),
        Some("17")
    );
}

/// Locks are held to the end, and a server has some thousands for all.
#[test]
fn promise_7_no_sweep_takes_more_than_a_hundred_locks() {
    let comparison = Comparison::new();
    comparison.server.ask(
        "INSERT INTO {s}.bucket SELECT md5(n::text)::uuid, '', n % 2, '{}', '{}', 0, 0, 0, 0, 0, 0 \
         FROM generate_series(1, 500) AS n",
    );
    comparison.server.ask("BEGIN");
    let (next, looked_at, removed) = sweep(&comparison, 0, FIRST, 1_000);
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    assert_eq!(comparison.server.ask(locks)[0][0].as_deref(), Some("100"));
    comparison.server.ask("COMMIT");
    assert!((100..500).contains(&looked_at) && removed == 100, "{looked_at} {removed}");
    let (next, further, removed) = sweep(&comparison, 0, &next.unwrap(), 1_000);
    assert_eq!(removed, 100);
    assert_eq!(sweep(&comparison, 0, &next.unwrap(), 1_000), (None, 500 - looked_at - further, 50));
}

/// Somebody may be about to write what is idle now.
#[test]
fn promise_7_the_sweep_passes_by_what_is_locked() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::Gcra, "1/s").unwrap();
    comparison.begin();
    comparison.acquire(NOW, &quota, 1);
    let other = SharedPostgres::get().session();
    other.ask("BEGIN");
    other.ask(&comparison.server.within("SELECT pg_advisory_xact_lock({s}.lock_of(id)) FROM {s}.bucket"));
    let later = NOW + 2_000_000;
    assert_eq!(sweep(&comparison, later, FIRST, 100), (None, 1, 0));
    // Not even while the row is written, by who has the lock.
    other.ask(&comparison.server.within(&format!("UPDATE {{s}}.bucket SET idle_from = {}", later + 1)));
    assert_eq!(sweep(&comparison, later, FIRST, 100), (None, 1, 0));
    other.ask("COMMIT");
    assert_eq!(sweep(&comparison, later, FIRST, 100), (None, 1, 0));
    assert_eq!(sweep(&comparison, later + 1, FIRST, 100), (None, 1, 1));
}

/// Plans of a session are made when there is little, and hold when there is much.
#[test]
fn neither_a_call_nor_a_sweep_reads_a_whole_table() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "100/s").unwrap();
    comparison.begin();
    comparison.server.ask("ANALYZE {s}.bucket; ANALYZE {s}.chunk");
    let scans = |comparison: &Comparison| {
        let scans = "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_xact_user_tables WHERE relid IN \
             ('{s}.bucket'::regclass, '{s}.chunk'::regclass)";
        comparison.server.ask(scans)[0][0].clone().unwrap()
    };
    comparison.server.ask("BEGIN");
    let before = scans(&comparison);
    for step in 0..120 {
        let entries = vec![Entry::one(1)];
        comparison.server.answers(NOW + step, &[Run { key: KEY, quota: &quota, entries }]);
        sweep(&comparison, NOW + step, FIRST, 10);
    }
    let runs = ["a", "b", "c"].map(|key| Run { key, quota: &quota, entries: vec![Entry::one(1)] });
    let mut runs: Vec<_> = runs.into();
    runs.sort_by_key(|run| crate::store::postgres::id::Id::of(run.key));
    for step in 120..140 {
        comparison.server.answers(NOW + step, &runs);
    }
    assert_eq!(scans(&comparison), before);
    comparison.server.ask("COMMIT");
}
