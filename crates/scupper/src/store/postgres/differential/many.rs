//! Calls of very many requests that are unlike.

use crate::quota::{Algorithm, Quota};
use crate::store::batch::Standing;
use crate::store::postgres::differential::asked::{Entry, Run};
use crate::store::postgres::differential::comparison::{Comparison, KEY};
use crate::store::postgres::differential::server::call;

const NOW: u64 = 1_790_000_000_000_000;

/// Each unlike the one before it.
fn unlike(count: u64) -> Vec<Entry> {
    (0..count).map(|nth| Entry { weight: 1 + nth % 7, count: 1, standing: Standing::Alone }).collect()
}

#[test]
fn promises_1_and_2_each_of_very_many_is_answered_in_its_place() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        // All fit, some do, and some never would.
        for rates in ["9000/ms", "3000/ms", "4/ms"] {
            let quota = Quota::new(algorithm, rates).unwrap();
            comparison.begin();
            let runs = [KEY, "b"].map(|key| Run { key, quota: &quota, entries: unlike(1_024) });
            comparison.submit(NOW, &runs).unwrap();
        }
    }
    assert_eq!(comparison.undecided, 0);
}

/// An answer is not copied with each request that is answered after it.
#[test]
fn eight_times_as_many_requests_take_no_longer_each() {
    let comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1000000/ms").unwrap();
    comparison.server.turn(NOW);
    let millis = |count: u64| {
        let call = call(&[Run { key: KEY, quota: &quota, entries: unlike(count) }]);
        let explained = comparison.server.ask(&format!("EXPLAIN (ANALYZE, TIMING OFF) {call}"));
        let text = explained.iter().find_map(|row| row[0].as_deref()?.strip_prefix("Execution Time: ")).unwrap();
        text.trim_end_matches(" ms").parse::<f64>().unwrap()
    };
    // The shortest of several is the one that others have kept from its work the least.
    let shortest = |count: u64| (0..7).map(|_| millis(count)).fold(f64::INFINITY, f64::min);
    let (few, many) = (shortest(1_024), shortest(8_192));
    assert!(many < 24.0 * few, "{few} ms for 1,024, and {many} ms for 8,192");
}
