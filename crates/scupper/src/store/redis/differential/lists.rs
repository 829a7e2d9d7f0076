//! Lists of rates for one bucket.

use std::cmp::Reverse;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_oneof};
use proptest::strategy::Strategy;

use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::rates::Rates;

/// Microseconds and units that all rates of a case are multiples of: a debt of one list is none of centuries under another.
pub(super) fn scales() -> impl Strategy<Value = (u64, u64)> {
    let micros = prop_oneof![
        5 => Just(1_u64),
        1 => Just(1_000),
        1 => Just(1_000_003),
        1 => Just(3_600_000_000),
        1 => Just(4_000_000_000_000),
    ];
    let units = prop_oneof![6 => Just(1_u64), 1 => Just(1_000), 1 => Just(999_999_937), 1 => Just(66_666_666_666)];
    (micros, units)
}

pub(super) fn rates((scale, unit): (u64, u64)) -> impl Strategy<Value = Vec<Rate>> {
    vec((1_u64..25, 1_u64..6), 1..4).prop_map(move |parts| {
        let (mut interval, mut limit) = (0, 0);
        let rates = parts.into_iter().map(|(longer, more)| {
            (interval, limit) = (interval + longer, limit + more);
            Rate::new(limit * unit, Duration::from_micros(interval * scale)).unwrap()
        });
        that_go_together(rates)
    })
}

/// One rate of any numbers: of most, products are beyond 2^53.
pub(super) fn wild_rate() -> impl Strategy<Value = Vec<Rate>> {
    let limit = prop_oneof![1..=Rate::MAX_LIMIT, Just(Rate::MAX_LIMIT), 1_u64..1_000];
    let longest = u64::try_from(Rate::MAX_INTERVAL.as_micros()).unwrap();
    let interval = prop_oneof![1..=longest, Just(longest), 1_u64..1_000_000];
    (limit, interval).prop_map(|(limit, interval)| vec![Rate::new(limit, Duration::from_micros(interval)).unwrap()])
}

/// A rate that does not go with those before it is left out.
pub(super) fn that_go_together(rates: impl Iterator<Item = Rate>) -> Vec<Rate> {
    rates.fold(Vec::new(), |mut list, rate| {
        list.push(rate);
        if Rates::new(list.clone()).is_err() {
            list.pop();
        }
        list
    })
}

pub(super) fn quota(algorithm: Algorithm, rates: Vec<Rate>, burst: u64) -> Quota {
    let with_burst = |rate: &Rate| {
        let burst = if burst.is_multiple_of(3) { rate.limit() } else { 1 + rate.limit() * burst / 20 };
        rate.with_burst(burst).unwrap_or(*rate)
    };
    match algorithm {
        Algorithm::Gcra => Quota::new(algorithm, rates.iter().map(with_burst).collect::<Vec<_>>()).unwrap(),
        _ => Quota::new(algorithm, rates).unwrap(),
    }
}

/// Lists of rates for one bucket, mostly of one algorithm, the longest first: what has left every window may be remembered for
/// a longer list that comes later, or not.
pub(super) fn quotas() -> impl Strategy<Value = Vec<Quota>> {
    let algorithm = prop_oneof![3 => Just(0_usize), 2 => Just(1), 2 => Just(2)];
    let lists = scales().prop_flat_map(|scales| {
        let list = || (rates(scales), 0_u64..40, any::<u8>());
        let wild = (wild_rate(), 0_u64..40, any::<u8>());
        prop_oneof![4 => vec(list(), 1..2), 5 => vec(list(), 2..4), 1 => vec(wild, 1..2)]
    });
    (algorithm, lists).prop_map(|(algorithm, lists)| {
        let quota = |(rates, burst, odd): (Vec<Rate>, u64, u8)| {
            let algorithm = Algorithm::ALL[if odd < 16 { usize::from(odd) % 3 } else { algorithm }];
            quota(algorithm, rates, burst)
        };
        let mut quotas: Vec<Quota> = lists.into_iter().map(quota).collect();
        quotas.sort_by_key(|quota| Reverse(quota.retention()));
        quotas
    })
}
