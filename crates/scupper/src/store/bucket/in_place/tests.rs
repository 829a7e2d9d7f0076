//! What is decided in place is what the bucket as a whole decides.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::error::Result;
use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation, Standing};
use crate::store::bucket::in_place::{Log, Place, acquire_in_place};
use crate::store::bucket::numbers::Numbers;
use crate::store::bucket::state::BucketState;
use crate::store::outcome::{Admission, Reply, Verdict};
use crate::time::Timestamp;

/// The simplest place: a vector.
struct Head(Vec<u64>);

impl Place for Head {
    fn get(&self, at: usize) -> u64 {
        self.0[at]
    }

    fn set(&mut self, at: usize, number: u64) {
        self.0[at] = number;
    }
}

/// The simplest log: single events with their weights, and a search from the oldest on.
struct Events(Vec<(u64, u64)>);

impl Log for Events {
    fn units(&self) -> u64 {
        self.0.iter().map(|(_, weight)| weight).sum()
    }

    fn tick_of(&mut self, nth: u64) -> Result<u64> {
        let mut units = 0;
        let found = self.0.iter().find(|(_, weight)| {
            units += weight;
            units >= nth
        });
        Ok(found.unwrap().0)
    }

    fn append(&mut self, tick: u64, weight: u64, keep_from: u64) -> Result<()> {
        self.0.retain(|(tick, _)| *tick >= keep_from);
        assert!(self.0.last().is_none_or(|(newest, _)| *newest <= tick));
        self.0.push((tick, weight));
        Ok(())
    }
}

/// A bucket as a store would keep it.
struct Kept {
    head: Head,
    log: Events,
}

impl Kept {
    fn of(bucket: &BucketState) -> Self {
        let Numbers { head, events, .. } = bucket.to_numbers();
        let mut before = 0;
        let weights = events.into_iter().map(|(tick, total)| (tick, total - std::mem::replace(&mut before, total)));
        Self { head: Head(head), log: Events(weights.collect()) }
    }

    fn whole(&self) -> BucketState {
        let mut total = 0;
        let totals = self.log.0.iter().map(|(tick, weight)| {
            total += weight;
            (*tick, total)
        });
        BucketState::from_numbers(&self.head.0, totals.collect()).unwrap()
    }

    fn apply(&mut self, operation: &Operation<'_>, now: Timestamp) -> Reply {
        let mut whole = self.whole();
        let reply = whole.apply(operation, now).unwrap();
        *self = Self::of(&whole);
        reply
    }
}

/// What comes next, by which of the quotas, and how many ticks later.
#[derive(Clone, Debug)]
enum Next {
    Acquire { weight: u64, other: bool },
    Penalty(u64),
    Refund(usize),
    Hold(u64),
    Reset,
    Back(u64),
    OwnTime,
}

fn next() -> impl Strategy<Value = (u64, Next)> {
    let what = prop_oneof![
        30 => (1..4_u64).prop_map(|weight| Next::Acquire { weight, other: false }),
        1 => (1..4_u64).prop_map(|weight| Next::Acquire { weight, other: true }),
        1 => (1..5_u64).prop_map(Next::Penalty),
        2 => any::<usize>().prop_map(Next::Refund),
        1 => (1..20_u64).prop_map(Next::Hold),
        1 => Just(Next::Reset),
        2 => (1..200_u64).prop_map(Next::Back),
        1 => Just(Next::OwnTime),
    ];
    (prop_oneof![4 => 0..3_u64, 3 => 0..12_u64, 1 => 0..100_u64], what)
}

/// Two lists at a time, with the same longest interval: what has left it may be dropped at one time or another.
fn histories() -> impl Strategy<Value = ([Quota; 2], Vec<(u64, Next)>)> {
    let rates = prop::sample::select(vec![
        ["2/3us", "1/us, 2/3us"],
        ["1/7us", "3/7us"],
        ["3/10us", "1/2us, 3/10us"],
        ["2/3us, 3/9us", "3/9us"],
        ["5/3us, 8/20us, 12/60us", "5/3us, 7/60us"],
        ["1/2us, 2/7us, 4/40us", "2/2us, 4/9us, 9/40us"],
    ]);
    let quotas = (rates, prop::sample::select(Algorithm::ALL.to_vec()));
    let quotas = quotas.prop_map(|(rates, algorithm)| rates.map(|rates| Quota::new(algorithm, rates).unwrap()));
    (quotas, prop::collection::vec(next(), 1..80))
}

/// Follows the whole bucket and the kept one through the same steps; says how often was decided in place.
fn compare([quota, other]: &[Quota; 2], steps: Vec<(u64, Next)>) -> Result<u64, TestCaseError> {
    let (mut now, mut admitted, mut decided) = (0_u64, Vec::<Admission>::new(), 0);
    let mut whole = BucketState::new(quota, Timestamp::ZERO);
    let mut kept = Kept::of(&whole);
    for (pause, what) in steps {
        now += pause;
        let at = Timestamp::from_micros(now);
        let standing = Standing::Alone;
        let operation = |action| Operation::new("key", action);
        let operation = match what {
            Next::Back(by) => {
                now -= now.min(by);
                continue;
            }
            Next::Acquire { weight, other: by_other } => {
                let quota = if by_other { other } else { quota };
                let operation = operation(Action::Acquire { quota, weight, standing });
                let expected = whole.apply(&operation, at).unwrap();
                let found = acquire_in_place(&mut kept.head, &mut kept.log, quota, now, weight).unwrap();
                decided += u64::from(found.is_some());
                let found = found.map_or_else(|| kept.apply(&operation, at), Reply::Acquired);
                prop_assert_eq!(&found, &expected);
                if let Reply::Acquired(Verdict::Admitted(admission)) = found {
                    admitted.push(admission);
                }
                None
            }
            Next::Penalty(units) => Some(operation(Action::Penalize { quota, units })),
            Next::Hold(micros) => {
                Some(operation(Action::Hold { quota, duration: std::time::Duration::from_micros(micros) }))
            }
            Next::Reset => Some(operation(Action::Reset)),
            Next::OwnTime => Some(operation(Action::Acquire { quota, weight: 1, standing }).at(at)),
            Next::Refund(_) if admitted.is_empty() => None,
            Next::Refund(which) => Some(operation(Action::Refund(admitted.swap_remove(which % admitted.len())))),
        };
        if let Some(operation) = operation {
            prop_assert_eq!(kept.apply(&operation, at), whole.apply(&operation, at).unwrap());
        }
        let look = Operation::new("key", Action::Peek { quota });
        prop_assert_eq!(kept.whole().apply(&look, at).unwrap(), whole.clone().apply(&look, at).unwrap());
    }
    Ok(decided)
}

#[test]
fn promises_1_and_4_what_is_decided_in_place_is_what_the_whole_bucket_decides() {
    let config = ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() };
    let decided = Cell::new(0);
    let compared = TestRunner::new(config).run(&histories(), |(quotas, steps)| {
        decided.set(decided.get() + compare(&quotas, steps)?);
        Ok(())
    });
    compared.unwrap_or_else(|error| panic!("{error}"));
    assert!(decided.get() > 20_000, "{} decisions were made in place: nothing was compared", decided.get());
}

#[test]
fn promise_9_the_heaviest_weights_are_counted_in_place() {
    let limit = crate::rate::Rate::MAX_LIMIT;
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, crate::rate::Rate::per_second(limit).unwrap()).unwrap();
        let mut kept = Kept::of(&BucketState::new(&quota, Timestamp::ZERO));
        let mut acquire =
            |now, weight| acquire_in_place(&mut kept.head, &mut kept.log, &quota, now, weight).unwrap().unwrap();
        assert!(matches!(acquire(0, limit + 1), Verdict::NeverFits { rate: 0 }), "{algorithm}");
        assert!(matches!(acquire(0, limit), Verdict::Admitted(_)), "{algorithm}");
        assert!(matches!(acquire(0, 1), Verdict::Denied(_)), "{algorithm}");
    }
}
