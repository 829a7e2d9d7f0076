//! Numbers at which arithmetic goes wrong.

use std::time::Duration;

use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::batch::{Action, Operation, Standing};
use crate::store::bucket::{BucketState, Numbers};
use crate::store::outcome::Reply;
use crate::store::postgres::differential::asked::{Entry, Run, UNDECIDED};
use crate::store::postgres::differential::comparison::{Comparison, KEY};

const NOW: u64 = 1_790_000_000_000_000;

fn gcra(rates: &str) -> Quota {
    Quota::new(Algorithm::Gcra, rates).unwrap()
}

#[test]
fn promise_9_three_million_a_second_are_not_one_a_microsecond() {
    let mut comparison = Comparison::new();
    for rates in ["3000000/s+3", "3000000/s+7", "7/3us+5", "1000003/s+2", "2/7us+1", "999999937/1000003us+9"] {
        let quota = gcra(rates);
        for weight in [1, 2, 3] {
            comparison.begin();
            for tick in 0..30 {
                for _ in 0..2 {
                    comparison.acquire(NOW + tick, &quota, weight);
                }
            }
        }
    }
}

/// Products on both sides of what a bigint holds, and of what is taken for that.
#[test]
fn promise_9_large_products_are_divided_without_loss() {
    let mut comparison = Comparison::new();
    let longest = u64::try_from(Rate::MAX_INTERVAL.as_micros()).unwrap();
    for interval in [longest, longest - 1, 28_059_810_762_433, 1_000_000_007] {
        let edge = 9_000_000_000_000_000_000 / interval;
        let edges = [edge, u64::MAX / 2 / interval, Rate::MAX_LIMIT - 2].map(|units| units.min(Rate::MAX_LIMIT - 2));
        for limit in edges.into_iter().flat_map(|edge| edge - 1..edge + 2).chain([Rate::MAX_LIMIT]) {
            let quota =
                Quota::new(Algorithm::Gcra, Rate::new(limit, Duration::from_micros(interval)).unwrap()).unwrap();
            for weight in [limit, limit - 1, limit / 2 + 1, 1] {
                comparison.begin();
                comparison.acquire(NOW, &quota, weight);
                comparison.acquire(NOW + 1, &quota, weight);
                let retry_at = comparison.acquire(NOW + 1, &quota, limit)[5].cast_unsigned();
                assert_eq!(comparison.acquire(retry_at - 1, &quota, limit)[1], 0);
                assert_eq!(comparison.acquire(retry_at, &quota, limit)[1], 1);
            }
        }
    }
}

#[test]
fn promise_4_the_largest_rates_are_exact() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        for limit in [Rate::MAX_LIMIT, Rate::MAX_LIMIT - 1, 3, 1] {
            let quota = Quota::new(algorithm, Rate::new(limit, Rate::MAX_INTERVAL).unwrap()).unwrap();
            comparison.begin();
            for (tick, weight) in (NOW..).zip([1, limit / 3 + 1, 1, limit]) {
                comparison.acquire(tick, &quota, weight);
            }
            let retry_at = comparison.acquire(NOW + 9, &quota, limit)[5].cast_unsigned();
            assert_eq!(comparison.acquire(retry_at - 1, &quota, limit)[1], 0);
            assert_eq!(comparison.acquire(retry_at, &quota, limit)[1], 1);
        }
    }
}

#[test]
fn promise_2_of_any_number_of_requests_the_most_that_fit_are_admitted() {
    let mut comparison = Comparison::new();
    let most = i32::MAX.cast_unsigned();
    for algorithm in Algorithm::ALL {
        for (rates, weight) in [("40/s", 1), ("40/s, 60/min", 3), ("7/10s, 9/min", 7), ("5/s", 6), ("1/s", 1)] {
            let quota = Quota::new(algorithm, rates).unwrap();
            for count in (1..=42).chain([64, 1_000, most - 1, most]) {
                for before in [0, 1, 5] {
                    comparison.begin();
                    for _ in 0..before {
                        comparison.acquire(NOW - 300_000, &quota, 1);
                    }
                    let entry = Entry { weight, count, standing: Standing::Alone };
                    let entries = vec![entry, Entry::one(1), Entry { standing: Standing::Waiting, ..entry }, entry];
                    comparison.submit(NOW, &[Run { key: KEY, quota: &quota, entries }]).unwrap();
                }
            }
        }
    }
    let quota =
        Quota::new(Algorithm::SlidingWindowLog, Rate::new(Rate::MAX_LIMIT, Duration::from_secs(9)).unwrap()).unwrap();
    let entry = Entry { weight: Rate::MAX_LIMIT, count: most, standing: Standing::Passing };
    comparison.submit(NOW, &[Run { key: KEY, quota: &quota, entries: vec![entry; 9] }]).unwrap();
}

/// A sequence wraps, and a debt may be for longer than there is time: both are for the library.
#[test]
fn promise_9_numbers_beyond_what_is_counted_with_are_left_to_the_library() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "5/10s").unwrap();
        let far = [1 << 53, (1 << 61) - 3, 1 << 61, (1 << 63) - 2, 1 << 63, u64::MAX - 3];
        for (place, number) in [1, 3, 5, 6].into_iter().flat_map(|place| far.map(|number| (place, number))) {
            comparison.begin();
            comparison.acquire(NOW, &quota, 1);
            let Numbers { mut head, events, .. } = comparison.model.bucket(KEY).unwrap().to_numbers();
            head[place] = number;
            comparison.model.put(KEY, BucketState::from_numbers(&head, events).unwrap());
            comparison.save(KEY);
            for later in 0..8 {
                comparison.acquire(NOW + later, &quota, 1);
            }
        }
    }
    let quota = gcra("1/3660d");
    comparison.begin();
    for _ in 0..9 {
        let penalize = Operation::new(KEY, Action::Penalize { quota: &quota, units: 1_000 });
        assert!(matches!(comparison.apply(NOW, &penalize), Ok(Reply::Penalized(_))));
        comparison.acquire(NOW, &quota, 1);
    }
    assert!(comparison.undecided > 200, "{}", comparison.undecided);
}

/// Before a microsecond has passed, and at the end of the time that is counted with.
#[test]
fn promise_9_the_first_and_the_last_tick_are_ticks() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "2/3us, 3/5us").unwrap();
        for start in [0, (1 << 61) - 9] {
            comparison.begin();
            for step in 0..20 {
                comparison.acquire(start + step / 2, &quota, 1);
            }
        }
    }
    assert!(comparison.undecided > 0);
    let quota = gcra("1/s");
    let entries = vec![Entry::one(1)];
    comparison.begin();
    let answers = comparison.server.decide(1 << 61, &[Run { key: KEY, quota: &quota, entries }]);
    assert_eq!(answers, [(vec![UNDECIDED], None)]);
}
