use std::env;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// How many cases a property is held to, and from which seed they are drawn.
const CASES: &str = "SCUPPER_CONFORMANCE_CASES";
const SEED: &str = "SCUPPER_CONFORMANCE_SEED";
const DEFAULT_CASES: u32 = 256;

/// Holds a property to many random cases; one that fails is made as small as it can be, and shown.
pub(super) fn for_all<S>(cases: &S, holds: impl Fn(&S::Value) -> Result<(), String>)
where
    S: Strategy,
{
    let seed = env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| RandomState::new().hash_one(0));
    let config = Config {
        cases: env::var(CASES).ok().and_then(|cases| cases.parse().ok()).unwrap_or(DEFAULT_CASES),
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes(seed));
    let result = TestRunner::new_with_rng(config, rng).run(cases, |case| {
        // A panic is caught here so that only the smallest case is shown.
        let held = catch_unwind(AssertUnwindSafe(|| holds(&case)));
        held.unwrap_or_else(|_| Err("it panicked".into())).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => {
            panic!("{reason}\n\nin the case {case:?}\n\nagain with {SEED}={seed}")
        }
        Err(other) => panic!("{other}"),
    }
}

fn seed_bytes(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes
}
