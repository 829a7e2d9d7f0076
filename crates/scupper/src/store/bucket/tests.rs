//! The short way of a decision is the long way, only shorter.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::rates::Rates;
use crate::store::batch::{Action, Operation, Standing};
use crate::store::bucket::state::BucketState;
use crate::store::outcome::{Admission, Reply, Verdict};
use crate::time::Timestamp;

/// What comes next, and how many ticks later.
#[derive(Clone, Debug)]
enum Next {
    One,
    Heavier(u64),
    Penalty(u64),
    Refund(usize),
    Back(u64),
}

fn next() -> impl Strategy<Value = (u64, Next)> {
    let what = prop_oneof![
        20 => Just(Next::One),
        2 => (2..4_u64).prop_map(Next::Heavier),
        1 => (1..5_u64).prop_map(Next::Penalty),
        2 => any::<usize>().prop_map(Next::Refund),
        1 => (1..200_u64).prop_map(Next::Back),
    ];
    (prop_oneof![4 => 0..3_u64, 3 => 0..12_u64, 1 => 0..100_u64], what)
}

/// Lists whose windows are a few ticks long, so that their edges are met all the time.
fn quotas() -> impl Strategy<Value = Quota> {
    let rates = prop::sample::select(vec![
        "2/3us",
        "1/7us",
        "3/10us",
        "3/us",
        "7/9us",
        "2/3us, 3/9us",
        "5/3us, 8/20us, 12/60us",
        "1/2us, 2/7us, 4/40us",
    ]);
    (rates, prop::sample::select(Algorithm::ALL.to_vec()))
        .prop_map(|(rates, algorithm)| Quota::new(algorithm, rates).unwrap())
}

fn verdict(bucket: &mut BucketState, quota: &Quota, weight: u64, now: u64) -> Verdict {
    let operation = Operation::acquire("key", quota, weight);
    match bucket.apply(&operation, Timestamp::from_micros(now)).unwrap() {
        Reply::Acquired(verdict) => verdict,
        other => panic!("{other:?} to an acquire"),
    }
}

/// All that can be seen of a bucket. What has left every window may be dropped at one time or another.
fn seen(bucket: &mut BucketState, quota: &Quota, now: u64) -> (Reply, Timestamp, u64, u64) {
    let look = Operation::new("key", Action::Peek { quota });
    let looked = bucket.apply(&look, Timestamp::from_micros(now)).unwrap();
    let settled = bucket.settled_from().max(Timestamp::from_micros(now.max(bucket.high_water)));
    (looked, settled, bucket.sequence, bucket.high_water)
}

/// Follows both ways through the same steps; says how often the short one decided.
fn compare(quota: &Quota, steps: Vec<(u64, Next)>) -> Result<u64, TestCaseError> {
    let (mut now, mut admitted) = (0, Vec::<Admission>::new());
    let mut long = BucketState::new(quota, Timestamp::ZERO);
    let (mut short, mut decided) = (long.clone(), 0);
    for (pause, what) in steps {
        now += pause;
        let mut both = |action| {
            let operation = Operation::new("key", action);
            let at = Timestamp::from_micros(now);
            prop_assert_eq!(long.apply(&operation, at).unwrap(), short.apply(&operation, at).unwrap());
            Ok(())
        };
        match what {
            Next::Back(by) => now -= now.min(by),
            Next::Penalty(units) => both(Action::Penalize { quota, units })?,
            Next::Heavier(weight) => both(Action::Acquire { quota, weight, standing: Standing::Alone })?,
            Next::Refund(which) if !admitted.is_empty() => {
                both(Action::Refund(admitted.swap_remove(which % admitted.len())))?;
            }
            Next::Refund(_) => {}
            Next::One => {
                let expected = verdict(&mut long, quota, 1, now);
                let mut terse = short.clone();
                if let Some(found) = short.acquire_one_plainly::<true>(quota, quota.paces(), now) {
                    decided += 1;
                    prop_assert_eq!(found, expected);
                } else {
                    prop_assert_eq!(verdict(&mut short, quota, 1, now), expected);
                }
                // Without an explanation it may say less, but nothing else.
                if let Some(found) = terse.acquire_one_plainly::<false>(quota, quota.paces(), now) {
                    prop_assert_eq!(found, expected);
                    prop_assert_eq!(seen(&mut terse, quota, now), seen(&mut short, quota, now));
                }
                if let Verdict::Admitted(admission) = expected {
                    admitted.push(admission);
                }
            }
        }
        prop_assert_eq!(seen(&mut short, quota, now), seen(&mut long, quota, now));
    }
    Ok(decided)
}

/// Compares over random histories; says how often the short way decided.
fn compare_over(histories: &impl Strategy<Value = (Quota, Vec<(u64, Next)>)>) -> u64 {
    let config = ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() };
    let decided = Cell::new(0);
    let compared = TestRunner::new(config).run(histories, |(quota, steps)| {
        decided.set(decided.get() + compare(&quota, steps)?);
        Ok(())
    });
    compared.unwrap_or_else(|error| panic!("{error}"));
    decided.get()
}

#[test]
fn promises_1_and_4_the_short_way_decides_as_the_long_one() {
    let decided = compare_over(&(quotas(), prop::collection::vec(next(), 1..80)));
    assert!(decided > 20_000, "the short way decided {decided} times: nothing was compared");
}

/// Where one unit comes after another, the rates but the first are looked at for many units at once.
#[test]
fn promise_1_no_rate_of_several_is_looked_at_too_seldom() {
    let rates = vec!["3/2us, 5/9us, 40/900us", "4/us, 6/12us, 9/30us, 60/500us", "7/3us, 9/11us, 50/400us"];
    let quotas = prop::sample::select(rates).prop_map(|rates| Quota::new(Algorithm::SlidingWindowLog, rates).unwrap());
    let what = prop_oneof![40 => Just(Next::One), 1 => any::<usize>().prop_map(Next::Refund)];
    let step = (prop_oneof![6 => Just(0), 3 => 1..3_u64, 1 => 3..14_u64], what);
    let decided = compare_over(&(quotas, prop::collection::vec(step, 40..160)));
    assert!(decided > 50_000, "the short way decided {decided} times: nothing was compared");
}

#[test]
fn promise_9_three_million_a_second_are_exactly_three_a_microsecond() {
    let quota = Quota::new(Algorithm::Gcra, Rate::per_second(3_000_000).unwrap().with_burst(3).unwrap()).unwrap();
    let mut bucket = BucketState::new(&quota, Timestamp::ZERO);
    for now in 0..100_000 {
        for unit in 0..4 {
            let verdict = bucket.acquire_one_plainly::<true>(&quota, quota.paces(), now).unwrap();
            assert_eq!(matches!(verdict, Verdict::Admitted(_)), unit < 3, "unit {unit} at {now}: {verdict:?}");
        }
    }
}

#[test]
fn promise_7_penalties_without_end_do_not_grow_a_bucket_without_end() {
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1/w").unwrap();
    let mut bucket = BucketState::new(&quota, Timestamp::ZERO);
    for now in 0..200_000 {
        let penalty = Operation::new("key", Action::Penalize { quota: &quota, units: 1 });
        bucket.apply(&penalty, Timestamp::from_micros(now)).unwrap();
    }
    assert!(bucket.to_bytes().len() < 2_200_000, "{} bytes", bucket.to_bytes().len());
    let Verdict::Denied(denial) = verdict(&mut bucket, &quota, 1, 200_000) else { panic!("in debt") };
    assert_eq!(denial.retry_at.as_micros(), 199_999 + 604_800_000_000 + 1);
}

#[test]
fn promise_7_rates_without_end_do_not_grow_a_bucket_without_end() {
    for algorithm in Algorithm::ALL {
        let mut bucket = None;
        for limit in 1..2_000 {
            let quota = Quota::new(algorithm, Rates::from(Rate::per_hour(limit).unwrap())).unwrap();
            let bucket = bucket.get_or_insert_with(|| BucketState::new(&quota, Timestamp::ZERO));
            verdict(bucket, &quota, 1, limit);
        }
        let bytes = bucket.unwrap().to_bytes().len();
        assert!(bytes < 36_000, "{bytes} bytes under {algorithm}");
    }
}

#[test]
fn promise_1_what_was_sure_under_other_rates_is_looked_at_again() {
    for changed_at in 10..40 {
        let [wide, narrow] = ["9/us, 200/ms", "9/us, 20/100us, 200/ms"]
            .map(|rates| Quota::new(Algorithm::SlidingWindowLog, rates).unwrap());
        let mut bucket = BucketState::new(&wide, Timestamp::ZERO);
        let mut admitted = 0;
        for now in 0..60 {
            let quota = if now < changed_at { &wide } else { &narrow };
            let found = bucket.acquire_one_plainly::<true>(quota, quota.paces(), now);
            let found = found.unwrap_or_else(|| verdict(&mut bucket, quota, 1, now));
            admitted += u64::from(matches!(found, Verdict::Admitted(_)));
        }
        assert_eq!(admitted, changed_at.max(20), "changed at {changed_at}");
    }
}

#[test]
fn a_permit_of_an_earlier_bucket_gives_nothing_back_to_one_whose_time_stands_still() {
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "1/2us").unwrap();
        let at = |micros, action| Operation::new("key", action).at(Timestamp::from_micros(micros));
        let old = Admission { tick: Timestamp::from_micros(27), weight: 1, sequence: 1 };
        let mut bucket = BucketState::new(&quota, Timestamp::from_micros(29));
        let mut apply = |operation: Operation<'_>| bucket.apply(&operation, Timestamp::from_micros(29)).unwrap();
        apply(at(29, Action::Hold { quota: &quota, duration: std::time::Duration::from_micros(6) }));
        apply(at(27, Action::Penalize { quota: &quota, units: 1 }));
        assert_eq!(apply(at(29, Action::Refund(old))), Reply::Refunded(0), "under {algorithm}");
    }
}
