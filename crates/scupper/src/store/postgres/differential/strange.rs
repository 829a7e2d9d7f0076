//! Rows that are no bucket's: the function does nothing with them, so that the library says what is wrong.

use crate::quota::{Algorithm, Quota};
use crate::store::batch::Operation;
use crate::store::postgres::differential::asked::{Entry, Run, UNDECIDED};
use crate::store::postgres::differential::comparison::{Comparison, KEY};
use crate::time::Timestamp;

const NOW: u64 = 1_790_000_000_000_000;

/// Everything that there is, as text.
fn all(comparison: &Comparison) -> Vec<Vec<Option<String>>> {
    comparison
        .server
        .ask("SELECT b::text FROM {s}.bucket AS b ORDER BY id; SELECT c::text FROM {s}.chunk AS c ORDER BY slot")
}

fn is_left_alone(comparison: &mut Comparison, quota: &Quota, damage: &str) {
    comparison.begin();
    for step in 0..100 {
        let acquire = Operation::acquire(KEY, quota, 1);
        comparison.model.apply(&acquire, Timestamp::from_micros(NOW + step)).unwrap();
    }
    comparison.save(KEY);
    comparison.server.ask(damage);
    let before = all(comparison);
    for (weight, clock) in [(1, NOW + 150), (2, NOW + 100)] {
        let entries = vec![Entry::one(1), Entry::one(weight)];
        let runs = [Run { key: KEY, quota, entries }];
        let answers = comparison.server.answers(clock, &runs);
        assert_eq!(answers, [[UNDECIDED; 2]], "{damage}");
        assert_eq!(all(comparison), before, "{damage}");
    }
}

#[test]
fn what_is_no_bucket_is_left_as_it_is() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "100/120us").unwrap();
        for head in
            ["'{}'", "head || 1::bigint", "head[1:9]", "ARRAY[head]", "'[0:12]={1,2,3,4,5,6,7,8,9,10,11,12,13}'"]
        {
            let damage = format!("UPDATE {{s}}.bucket SET head = {head}");
            is_left_alone(&mut comparison, &quota, &damage);
        }
        for (place, number) in
            [(1, "head[1] + 1"), (1, "0"), (1, "head[1] + 65536"), (11, "99"), (12, "NULL"), (13, "7")]
                .into_iter()
                .chain([1, 2, 4, 5, 6].into_iter().flat_map(|place| [(place, "NULL"), (place, "-1")]))
        {
            let damage = format!("UPDATE {{s}}.bucket SET head[{place}] = {number}");
            is_left_alone(&mut comparison, &quota, &damage);
        }
    }
}

#[test]
fn lanes_that_cannot_be_are_left_as_they_are() {
    let mut comparison = Comparison::new();
    for (algorithm, lane) in [(Algorithm::Gcra, "head[15] = 100"), (Algorithm::FixedWindow, "head[14] = head[14] + 1")]
    {
        let quota = Quota::new(algorithm, "100/120us").unwrap();
        for lane in
            [lane, "head[14] = -1", "head[14] = NULL", "head[15] = NULL", "head[15] = -1", "head[14] = 1::bigint << 62"]
        {
            is_left_alone(&mut comparison, &quota, &format!("UPDATE {{s}}.bucket SET {lane}"));
        }
    }
}

#[test]
fn logs_that_cannot_be_are_left_as_they_are() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "100/120us").unwrap();
    for row in [
        "recent = recent || 1::bigint",
        "recent = recent || recent || recent || recent || recent || recent || recent || recent || recent",
        "recent[cardinality(recent)] = NULL",
        "recent[cardinality(recent)] = spilled - 1",
        "recent[cardinality(recent) - 1] = head[5] + 1",
        "recent[cardinality(recent) - 1] = NULL",
        "base = spilled + 1",
        "base = -1",
        "spilled = 1::bigint << 61, base = 1::bigint << 61",
        "first = 0, last = 0",
    ] {
        is_left_alone(&mut comparison, &quota, &format!("UPDATE {{s}}.bucket SET {row}"));
    }
    for chunk in ["number = number + 1", "events = '{}'", "events[1] = NULL, events[3] = NULL, events[5] = NULL"] {
        is_left_alone(&mut comparison, &quota, &format!("UPDATE {{s}}.chunk SET {chunk}"));
    }
    is_left_alone(&mut comparison, &quota, "DELETE FROM {s}.chunk");
}

/// It is noticed when it is looked for.
#[test]
fn a_chunk_that_is_missing_is_not_taken_for_one_that_has_left() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1000/s").unwrap();
    comparison.begin();
    for step in 0..100 {
        let acquire = Operation::acquire(KEY, &quota, 1);
        comparison.model.apply(&acquire, Timestamp::from_micros(NOW + step)).unwrap();
    }
    comparison.save(KEY);
    comparison.server.ask("DELETE FROM {s}.chunk WHERE number = 0");
    let runs = [Run { key: KEY, quota: &quota, entries: vec![Entry::one(1)] }];
    assert_eq!(comparison.server.answers(NOW + 100, &runs)[0][0][..4], [1, 1, (NOW + 100).cast_signed(), 101]);
    let row = comparison.server.ask("SELECT base, spilled, first, last, cardinality(recent) FROM {s}.bucket").remove(0);
    assert_eq!(row.into_iter().flatten().collect::<Vec<_>>(), ["0", "100", "0", "2", "2"]);
}

/// What is wrong with one is no matter of the others.
#[test]
fn promise_3_others_in_the_call_are_decided() {
    let comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "2/s").unwrap();
    let run = |key| Run { key, quota: &quota, entries: vec![Entry::one(1), Entry::one(2)] };
    let mut runs = [run("a"), run("b"), run("c")];
    runs.sort_by_key(|run| crate::store::postgres::id::Id::of(run.key));
    let _ = comparison.server.decide(NOW, &runs);
    comparison.server.ask("UPDATE {s}.bucket SET head[1] = 7 WHERE key = 'b'");
    for (run, (answers, _)) in runs.iter().zip(comparison.server.decide(NOW + 1, &runs)) {
        let expected: [i64; 2] = if run.key == "b" { [0, 0] } else { [1, 0] };
        assert_eq!([answers[0][1], answers[1][1]], expected, "{}", run.key);
    }
}
