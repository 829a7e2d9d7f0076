//! A process may die after any store of any operation: whoever comes next finds the bucket as it was before or as it is after.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::store::batch::Operation;
use crate::store::bucket::Numbers;
use crate::store::host_clock::TestHost;
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::trial::audit::audit;
use crate::store::shared_memory::trial::life::{Permits, Step, What, quotas, steps};
use crate::store::shared_memory::trial::memory::{Memory, hash, host};

type Buckets = BTreeMap<String, Numbers>;

/// Idle buckets are given up one by one in passing: of several keys, each is as before or as after.
fn is_before_or_after(found: &Buckets, before: &Buckets, after: &Buckets) -> bool {
    let is_either = |key: &String| found.get(key) == before.get(key) || found.get(key) == after.get(key);
    before.keys().chain(after.keys()).chain(found.keys()).all(is_either)
}

/// Lets a process die after so many stores of this operation; says whether it came so far.
fn dies(
    begin: &Memory,
    host: &TestHost,
    operation: &Operation<'_>,
    life: u64,
    before: &Buckets,
    after: &Buckets,
) -> bool {
    let dying = begin.clone();
    dying.dies_after(life);
    let _ = dying.keeper(host).apply(hash(operation.key), operation);
    let has_died = dying.life.get() == 0;
    // The next one dies while it undoes that, and another comes.
    dying.dies_after(life % 9);
    drop(Change::begin(&dying));
    dying.is_born_again();
    let found = audit(&dying);
    let is_whole = is_before_or_after(&found, before, after);
    assert!(is_whole, "dead after {life} stores of {operation:?}: {found:?}, not {before:?} or {after:?}");
    has_died
}

/// Follows a life, and tries deaths in each operation: all that there are, or some here and there.
fn follow(memory: &Memory, steps: &[Step], every: u64) -> u64 {
    let (host, quotas, mut permits) = (host(), quotas(), Permits::default());
    let mut deaths = 0;
    for step in steps {
        host.pass(step.pause);
        let Some(operation) = step.operation(&quotas, &mut permits) else { continue };
        let (begin, before) = (memory.clone(), audit(memory));
        let outcome = memory.keeper(&host).apply(hash(operation.key), &operation);
        step.note(&outcome, &mut permits);
        let after = audit(memory);
        let mut life = step.pause % every;
        while dies(&begin, &host, &operation, life, &before, &after) {
            life += every;
            deaths += 1;
        }
    }
    deaths
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn promise_1_a_death_here_and_there_leaves_every_bucket_before_or_after(steps in steps(60)) {
        follow(&Memory::new(64 * 1024), &steps, 3);
    }
}

#[test]
fn promise_1_a_death_between_any_two_stores_leaves_every_bucket_before_or_after() {
    let mut steps = Vec::new();
    let mut step = |pause, key, quota, what| steps.push(Step { pause, key, quota, what, at: None });
    // A log that grows twice, loses what left it, and is changed in the middle; then other rates, and another algorithm.
    (0..17).for_each(|_| step(2, 1, 2, What::Acquire(1)));
    step(0, 1, 2, What::Acquire(2));
    step(890, 1, 2, What::Acquire(1));
    (0..14).for_each(|_| step(2, 1, 2, What::Acquire(1)));
    step(0, 1, 2, What::Refund(29));
    step(0, 1, 1, What::Acquire(1));
    step(5, 1, 2, What::Penalize(3));
    step(0, 1, 2, What::Hold(9));
    step(1, 1, 2, What::Reset);
    step(2_000, 1, 7, What::Acquire(2));
    step(1, 1, 6, What::Acquire(1));
    // An anchor that is renewed, a bucket that is new, and those that are idle given up.
    step(2_000_000, 2, 4, What::Acquire(1));
    step(1, 0, 0, What::Acquire(1));
    step(2_000, 3, 6, What::Acquire(1));
    step(0, 3, 6, What::Refund(0));
    let deaths = follow(&Memory::new(64 * 1024), &steps, 1);
    assert!(deaths > 1_000, "only {deaths} deaths");
}
