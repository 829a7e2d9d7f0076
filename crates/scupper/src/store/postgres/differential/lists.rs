//! Rates for one bucket.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Just, prop_oneof};
use proptest::strategy::Strategy;

use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::rates::Rates;

/// A rate that does not go with those before it is left out.
fn that_go_together(rates: impl Iterator<Item = Rate>) -> Vec<Rate> {
    let mut list: Vec<Rate> = Vec::new();
    for rate in rates {
        let with_it: Vec<Rate> = list.iter().copied().chain([rate]).collect();
        if Rates::new(with_it.iter().copied()).is_ok() {
            list = with_it;
        }
    }
    list
}

/// A few rates of small numbers, all multiples of some units and of some time.
fn small() -> impl Strategy<Value = Vec<Rate>> {
    let time = prop_oneof![6 => Just(1_u64), 1 => Just(1_000), 1 => Just(1_000_003), 1 => Just(3_600_000_000)];
    let unit = prop_oneof![6 => Just(1_u64), 1 => Just(1_000), 1 => Just(66_666_666_666)];
    (time, unit, vec((1_u64..25, 1_u64..6), 1..4)).prop_map(|(time, unit, parts)| {
        let (mut interval, mut limit) = (0, 0);
        that_go_together(parts.into_iter().map(|(longer, more)| {
            (interval, limit) = (interval + longer, limit + more);
            Rate::new(limit * unit, Duration::from_micros(interval * time)).unwrap()
        }))
    })
}

/// One rate of any numbers, up to the largest: of most, products are beyond what a bigint holds.
fn wild() -> impl Strategy<Value = Vec<Rate>> {
    let limit = prop_oneof![1..=Rate::MAX_LIMIT, Just(Rate::MAX_LIMIT), 1_u64..1_000, Just(3_000_000)];
    let longest = u64::try_from(Rate::MAX_INTERVAL.as_micros()).unwrap();
    let interval = prop_oneof![1..=longest, Just(longest), 1_u64..1_000_000, Just(1_000_000)];
    (limit, interval).prop_map(|(limit, interval)| vec![Rate::new(limit, Duration::from_micros(interval)).unwrap()])
}

pub(super) fn quotas() -> impl Strategy<Value = Quota> {
    let rates = prop_oneof![4 => small(), 1 => wild()];
    (0_usize..3, rates, 0_u64..40).prop_map(|(algorithm, rates, burst)| {
        let with_burst = |rate: &Rate| {
            let burst = if burst.is_multiple_of(3) { rate.limit() } else { 1 + rate.limit() * burst / 20 };
            rate.with_burst(burst.min(Rate::MAX_LIMIT)).unwrap_or(*rate)
        };
        let algorithm = Algorithm::ALL[algorithm];
        let rates = if algorithm == Algorithm::Gcra { rates.iter().map(with_burst).collect() } else { rates };
        Quota::new(algorithm, rates).unwrap()
    })
}

/// A log that gets long.
pub(super) fn logs() -> impl Strategy<Value = Quota> {
    let longer = prop_oneof![Just(None), (2_u64..4, 1_u64..4).prop_map(Some)];
    (5_u64..300, 1_u64..5, longer).prop_map(|(limit, pace, longer)| {
        let rate = |limit, interval| Rate::new(limit, Duration::from_micros(interval)).unwrap();
        let second = longer.map(|(times, slower)| rate(limit * times, limit * pace * times * (slower + 1) / 2 + 1));
        let rates = that_go_together([rate(limit, limit * pace)].into_iter().chain(second));
        Quota::new(Algorithm::SlidingWindowLog, rates).unwrap()
    })
}
