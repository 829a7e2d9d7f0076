//! Random operations, answered as the whole bucket answers them.

use std::collections::HashMap;
use std::time::Duration;

use crate::error::Error;
use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation, Standing};
use crate::store::bucket::BucketState;
use crate::store::host_clock::TestHost;
use crate::store::line::Line;
use crate::store::outcome::{Admission, Outcome, Reply, Verdict};
use crate::store::sqlite::tests::{Bed, submit};
use crate::time::Timestamp;

const WALL: u64 = 1_800_000_000_000_000;

/// Numbers without end, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// What the store does, by nothing but whole buckets.
#[derive(Default)]
struct Model(HashMap<String, BucketState>);

impl Model {
    fn submit(&mut self, operations: &[Operation<'_>], now: Timestamp) -> Vec<Outcome> {
        let mut line = Line::default();
        let outcomes = operations.iter().map(|operation| line.pass(operation, || self.apply(operation, now))).collect();
        self.0.retain(|_, bucket| bucket.idle_from_at(now) > now);
        outcomes
    }

    fn apply(&mut self, operation: &Operation<'_>, now: Timestamp) -> Outcome {
        if let Some(bucket) = self.0.get_mut(operation.key) {
            return bucket.apply(operation, now);
        }
        let Some(quota) = operation.quota() else { return operation.without_bucket() };
        let mut bucket = BucketState::new(quota, now);
        let reply = bucket.apply(operation, now)?;
        self.0.insert(operation.key.to_owned(), bucket);
        Ok(reply)
    }
}

/// What a trace is about: two lists of rates, the second seldom used, and how far apart in time operations are.
struct Case {
    algorithm: Algorithm,
    rates: [&'static str; 2],
    step: u64,
}

/// The long interval keeps every bucket: one that is forgotten is no matter here.
const CASES: [Case; 6] = [
    Case { algorithm: Algorithm::SlidingWindowLog, rates: ["3/1ms, 1000000/h", "5/2ms, 1000000/h"], step: 300 },
    Case {
        algorithm: Algorithm::SlidingWindowLog,
        rates: ["90/20ms, 300/100ms, 1000000/h", "80/20ms, 1000000/h"],
        step: 150,
    },
    Case { algorithm: Algorithm::SlidingWindowLog, rates: ["500/h", "700/h"], step: 40 },
    Case { algorithm: Algorithm::SlidingWindowLog, rates: ["200/60ms", "100/50ms"], step: 300 },
    Case { algorithm: Algorithm::FixedWindow, rates: ["20/5ms, 100000/h", "30/5ms, 100000/h"], step: 200 },
    Case { algorithm: Algorithm::Gcra, rates: ["1000/s+20, 100000/h", "2000/s+9, 100000/h"], step: 400 },
];

fn random<'a>(dice: &mut Dice, quotas: &'a [Quota; 2], given: &[Admission]) -> Operation<'a> {
    let quota = &quotas[usize::from(dice.one_in(40))];
    let key = ["a", "b", "c"][usize::try_from(dice.below(20)).unwrap().min(2)];
    let weight = if dice.one_in(4) { 1 + dice.below(5) } else { 1 };
    let standing = [Standing::Alone, Standing::Passing, Standing::Waiting][usize::try_from(dice.below(3)).unwrap()];
    let action = match dice.below(100) {
        0..3 => Action::Peek { quota },
        3..8 if !given.is_empty() => {
            let last = given.len() as u64;
            let reach = if dice.one_in(3) { last } else { last.min(5) };
            let back = dice.below(reach);
            let admission = given[usize::try_from(last - 1 - back).unwrap()];
            let weight = 1 + dice.below(admission.weight);
            Action::Refund(Admission { weight, ..admission })
        }
        8 => Action::Penalize { quota, units: weight },
        9 if dice.one_in(20) => Action::Reset,
        10 if dice.one_in(20) => Action::Hold { quota, duration: Duration::from_micros(dice.below(3_000)) },
        _ => Action::Acquire { quota, weight, standing },
    };
    Operation::new(key, action)
}

fn agree(case: &Case, seed: u64) {
    let bed = Bed::new(TestHost::new(1_000_000, WALL));
    let (mut store, mut model) = (bed.open(), Model::default());
    let quotas = case.rates.map(|rates| Quota::new(case.algorithm, rates).unwrap());
    let (mut dice, mut now, mut given) = (Dice(seed * 2 + 1), WALL, Vec::new());
    for turn in 0..1_500 {
        let step = if dice.one_in(3) { 0 } else { dice.below(2 * case.step) };
        bed.host.pass(step);
        now += step;
        let count = if dice.one_in(5) { 1 + dice.below(6) } else { 1 };
        let operations: Vec<_> = (0..count).map(|_| random(&mut dice, &quotas, &given)).collect();
        let expected = model.submit(&operations, Timestamp::from_micros(now));
        let outcomes = submit(&store, &operations);
        for ((operation, outcome), expected) in operations.iter().zip(&outcomes).zip(&expected) {
            let told = |outcome: &Outcome| outcome.as_ref().map_err(Error::kind).cloned();
            let (rates, algorithm) = (case.rates[0], case.algorithm);
            assert_eq!(
                told(outcome),
                told(expected),
                "{operation:?} in turn {turn} of {algorithm} {rates}, seed {seed}"
            );
            if let Ok(Reply::Acquired(Verdict::Admitted(admission))) = outcome {
                given.push(*admission);
            }
        }
        if dice.one_in(200) {
            drop(store);
            store = bed.open();
        }
    }
}

#[test]
fn random_operations_are_answered_as_by_the_whole_bucket() {
    for case in &CASES {
        for seed in 1..=6 {
            agree(case, seed);
        }
    }
}
