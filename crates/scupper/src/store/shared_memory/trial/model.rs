//! Whatever comes, the store answers as buckets would that lie in the memory of this process.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::store::batch::Operation;
use crate::store::bucket::BucketState;
use crate::store::host_clock::{Host, TestHost};
use crate::store::outcome::Outcome;
use crate::store::shared_memory::trial::audit::audit;
use crate::store::shared_memory::trial::life::{Permits, quotas, steps};
use crate::store::shared_memory::trial::memory::{Memory, hash, host};
use crate::time::Timestamp;

/// Buckets as a store with room without end would keep them.
#[derive(Default)]
struct Model(BTreeMap<String, BucketState>);

impl Model {
    fn apply(&mut self, operation: &Operation<'_>, now: Timestamp) -> Outcome {
        if let Some(state) = self.0.get_mut(operation.key) {
            return state.apply(operation, now);
        }
        let Some(quota) = operation.quota() else { return operation.without_bucket() };
        let mut state = BucketState::new(quota, now);
        let reply = state.apply(operation, now)?;
        self.0.insert(operation.key.to_owned(), state);
        Ok(reply)
    }

    /// What the store has given up is idle.
    fn follow<T>(&mut self, buckets: &BTreeMap<String, T>, now: Timestamp) {
        self.0.retain(|key, state| {
            let is_there = buckets.contains_key(key);
            assert!(is_there || state.idle_from_at(now) <= now, "{key:?} was given up, and owes");
            is_there
        });
        assert_eq!(self.0.len(), buckets.len());
    }
}

fn now(host: &TestHost) -> Timestamp {
    Timestamp::from_micros(Memory::WALL + host.since_boot() - 5_000_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promises_1_to_4_and_9_the_store_decides_as_its_buckets_would(steps in steps(150)) {
        let (memory, host, quotas) = (Memory::new(256 * 1024), host(), quotas());
        let (mut model, mut permits) = (Model::default(), Permits::default());
        for step in steps {
            host.pass(step.pause);
            let Some(operation) = step.operation(&quotas, &mut permits) else { continue };
            let outcome = memory.keeper(&host).apply(hash(operation.key), &operation);
            let expected = model.apply(&operation, now(&host));
            match (&outcome, &expected) {
                (Ok(outcome), Ok(expected)) => prop_assert_eq!(outcome, expected),
                (Err(outcome), Err(expected)) => prop_assert_eq!(outcome.kind(), expected.kind()),
                _ => prop_assert!(false, "{:?} where {:?} was expected", outcome, expected),
            }
            step.note(&outcome, &mut permits);
            model.follow(&audit(&memory), now(&host));
        }
    }
}
