//! A bucket with more chunks than leave at once: in several sweeps, and used between them.

use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation, Standing};
use crate::store::outcome::{Reply, Verdict};
use crate::store::postgres::differential::asked::{Answer, Entry, Run};
use crate::store::postgres::differential::comparison::{Comparison, KEY};
use crate::store::postgres::differential::layout::Layout;
use crate::store::postgres::differential::sweeping::{FIRST, sweep};
use crate::store::postgres::id::Id;
use crate::time::Timestamp;

const NOW: u64 = 1_790_000_000_000_000;
/// One that nobody sweeps, with the same past.
const OTHER: &str = "b";
/// So many chunk rows leave at once.
const MOST: usize = 1_000;
/// What fits at once, a microsecond each: a ring that is full, and seven beside it.
const UNITS: u64 = 2_048 + 7;

fn quota() -> Quota {
    Quota::new(Algorithm::SlidingWindowLog, format!("{UNITS}/5ms").as_str()).unwrap()
}

/// Two buckets whose logs are full, an event a chunk; and from when on they are idle.
fn full() -> (Comparison, u64) {
    let mut comparison = Comparison::new();
    comparison.begin();
    comparison.layout = Layout { recent: 7, chunk: 1, base: 20, gone: 0, first: 990, spare: 0 };
    let quota = quota();
    for key in [KEY, OTHER] {
        for step in 0..UNITS {
            let penalize = Operation::new(key, Action::Penalize { quota: &quota, units: 1 });
            comparison.model.apply(&penalize, Timestamp::from_micros(NOW + step)).unwrap();
        }
        comparison.save(key);
    }
    let idle_from = comparison.model.bucket(KEY).unwrap().idle_from().as_micros();
    (comparison, idle_from)
}

fn chunks(comparison: &Comparison, key: &str) -> usize {
    let count = format!("SELECT count(*) FROM {{s}}.chunk WHERE bucket = '{}'", Id::of(key));
    comparison.server.ask(&count)[0][0].as_deref().unwrap().parse().unwrap()
}

/// Sweeps the one bucket as often as this.
fn sweep_in_part(comparison: &Comparison, clock: u64, times: usize) {
    comparison
        .server
        .ask(&format!("UPDATE {{s}}.bucket SET idle_from = idle_from + 1000000 WHERE id = '{}'", Id::of(OTHER)));
    for nth in 1..=times {
        let before = chunks(comparison, KEY);
        let (next, _, removed) = sweep(comparison, clock, FIRST, 100);
        assert_eq!((removed, chunks(comparison, KEY)), (0, before - MOST), "{nth}");
        assert!(next.is_some_and(|next| next.replace('-', "") < Id::of(KEY).to_string()), "it is looked at once more");
        comparison.server.rows(KEY).unwrap().check().unwrap();
    }
}

fn acquire(comparison: &Comparison, clock: u64, key: &'static str, weight: u64) -> Answer {
    let (quota, entries) = (quota(), vec![Entry::one(weight)]);
    comparison.server.answers(clock, &[Run { key, quota: &quota, entries }])[0][0]
}

#[test]
fn promise_7_no_sweep_deletes_more_than_a_thousand_chunks_and_the_bucket_goes_with_the_last() {
    let (comparison, idle_from) = full();
    comparison.server.ask(&format!("DELETE FROM {{s}}.bucket WHERE id = '{}'", Id::of(OTHER)));
    comparison.server.ask(&format!("DELETE FROM {{s}}.chunk WHERE bucket = '{}'", Id::of(OTHER)));
    let (all, mut after) = (chunks(&comparison, KEY), FIRST.to_owned());
    assert!(all > 2 * MOST && all < 3 * MOST, "{all}");
    for left in [all - MOST, all - 2 * MOST] {
        let (next, looked_at, removed) = sweep(&comparison, idle_from, &after, 100);
        assert_eq!((looked_at, removed, chunks(&comparison, KEY)), (0, 0, left));
        assert!(comparison.server.rows(KEY).is_some());
        after = next.unwrap();
    }
    assert_eq!(sweep(&comparison, idle_from, &after, 100), (None, 1, 1));
    assert_eq!((comparison.server.rows(KEY), chunks(&comparison, KEY)), (None, 0));
}

#[test]
fn promise_7_chunks_of_all_buckets_of_a_sweep_count_together() {
    let comparison = Comparison::new();
    comparison.server.ask(
        "INSERT INTO {s}.bucket SELECT md5(n::text)::uuid, '', 1, '{}', '{}', 0, 9, 0, 300, 1, 512 FROM generate_series(1, 9) AS n; \
         INSERT INTO {s}.chunk SELECT md5(n::text)::uuid, slot, slot, slot, '{}' \
         FROM generate_series(1, 9) AS n, generate_series(0, 299) AS slot",
    );
    let left = |comparison: &Comparison| {
        let row = comparison
            .server
            .ask("SELECT (SELECT count(*) FROM {s}.bucket), (SELECT count(*) FROM {s}.chunk)")
            .remove(0);
        [row[0].clone().unwrap(), row[1].clone().unwrap()]
    };
    let (next, looked_at, removed) = sweep(&comparison, 5, FIRST, 400);
    assert_eq!((looked_at, removed, left(&comparison)), (3, 3, ["6".to_owned(), "1700".to_owned()]));
    let (next, looked_at, removed) = sweep(&comparison, 5, &next.unwrap(), 400);
    assert_eq!((looked_at, removed, left(&comparison)), (3, 3, ["3".to_owned(), "700".to_owned()]));
    assert_eq!(sweep(&comparison, 5, &next.unwrap(), 400), (None, 3, 3));
    assert_eq!(left(&comparison), ["0", "0"]);
}

/// With chunks that are left in the slots that come next, and without.
#[test]
fn promises_1_2_and_4_a_bucket_that_was_swept_in_part_is_decided_as_if_nobody_had() {
    for (times, weight) in [(1, 17), (2, 23)] {
        let (comparison, idle_from) = full();
        sweep_in_part(&comparison, idle_from, times);
        let quota = quota();
        let run = |key| Run { key, quota: &quota, entries: vec![Entry::one(weight)] };
        // In the order of their ids.
        let runs = [run(OTHER), run(KEY)];
        let mut given = [0, 0];
        for step in 0..400 {
            let answers = comparison.server.answers(idle_from + 20 * step, &runs);
            let answer: Answer = answers[0][0];
            assert_eq!(answers[1][0], answer, "step {step} after {times} sweeps");
            given[usize::from(answer[1] == 0)] += 1;
        }
        assert!(given[0] > 90 && given[1] > 90, "{given:?}");
        let (rows, other) = [KEY, OTHER].map(|key| comparison.server.rows(key).unwrap()).into();
        rows.check().unwrap();
        let (rows, other) = [rows, other].map(|rows| rows.state().unwrap().to_numbers()).into();
        assert_eq!(rows.head, other.head);
        let newest = |events: &[(u64, u64)]| events.iter().rev().take(90).map(|(tick, _)| *tick).collect::<Vec<_>>();
        assert_eq!(newest(&rows.events), newest(&other.events));
    }
}

/// Whichever of its slots have been swept, and wherever it was in them.
#[test]
fn promises_1_2_and_4_a_ring_of_which_a_part_is_left_goes_on_and_grows() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "250/ms").unwrap();
    for (left, last) in [(&[][..], 5), (&[3], 5), (&[4], 5), (&[3, 4], 5), (&[4], 6), (&[5], 6), (&[4, 5], 6)] {
        comparison.begin();
        comparison.acquire(NOW, &quota, 3);
        let idle_from = comparison.model.bucket(KEY).unwrap().idle_from().as_micros();
        let chunks =
            left.iter().map(|number: &i32| format!("('{}', {number} & 1, {number}, 0, '{{1,2}}')", Id::of(KEY)));
        let chunks: Vec<String> = chunks.collect();
        comparison.server.ask(&format!(
            "UPDATE {{s}}.bucket SET recent = '{{}}', base = 3, spilled = 3, first = {last}, last = {last}, slots = 2"
        ));
        if !chunks.is_empty() {
            comparison.server.ask(&format!("INSERT INTO {{s}}.chunk VALUES {}", chunks.join(", ")));
        }
        for step in 0..270 {
            comparison.acquire(idle_from + 2 * step, &quota, 1);
        }
        let rows = comparison.server.rows(KEY).unwrap();
        assert!(rows.slots == 4 && rows.chunks.len() > 2, "{rows:?}");
    }
    assert_eq!(comparison.undecided, 0);
}

/// What is seen of it as a whole is an empty log, and what the bucket says of itself is as before.
#[test]
fn promise_4_a_bucket_that_was_swept_in_part_is_whole_to_those_who_load_it() {
    let (comparison, idle_from) = full();
    let before = comparison.server.rows(KEY).unwrap().state().unwrap();
    sweep_in_part(&comparison, idle_from, 1);
    let rows = comparison.server.rows(KEY).unwrap();
    let mut state = rows.state().unwrap();
    assert!(state.to_numbers().events.is_empty());
    assert_eq!(state.to_numbers().head, before.to_numbers().head);
    assert!(state.idle_from_at(Timestamp::from_micros(idle_from)) <= before.idle_from(), "it owes no more than before");
    let quota = quota();
    let acquire = Operation::new(KEY, Action::Acquire { quota: &quota, weight: UNITS, standing: Standing::Alone });
    let reply = state.apply(&acquire, Timestamp::from_micros(idle_from)).unwrap();
    assert!(matches!(reply, Reply::Acquired(Verdict::Admitted(_))), "{reply:?}");
}

/// Between two sweeps, somebody else may have the bucket.
#[test]
fn promise_7_the_rest_of_a_bucket_stays_while_it_is_used_again_and_goes_later() {
    let (comparison, idle_from) = full();
    sweep_in_part(&comparison, idle_from, 1);
    let left = chunks(&comparison, KEY);
    assert_eq!(acquire(&comparison, idle_from, KEY, 1)[..2], [1, 1]);
    assert_eq!(sweep(&comparison, idle_from, FIRST, 100).2, 0);
    assert_eq!(chunks(&comparison, KEY), left);
    let later = comparison.server.rows(KEY).unwrap().idle_from;
    sweep(&comparison, later, FIRST, 100);
    sweep(&comparison, later, FIRST, 100);
    assert_eq!((comparison.server.rows(KEY), chunks(&comparison, KEY)), (None, 0));
}
