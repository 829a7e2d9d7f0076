//! Whatever is asked, and whenever.

use std::cell::RefCell;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::store::postgres::differential::cases::{Case, anything, long_logs};
use crate::store::postgres::differential::comparison::Comparison;
use crate::store::postgres::differential::play::play;

/// How many cases, unless the environment says it.
const CASES: u32 = 200;

/// Plays so many cases in a hundred of the usual number; says how many runs in a hundred the function decided.
fn compare(cases: &impl Strategy<Value = Case>, percent: u32) -> u64 {
    let usual = std::env::var("SCUPPER_DIFFERENTIAL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let cases_to_play = (usual * percent).div_ceil(100);
    let config =
        Config { cases: cases_to_play, failure_persistence: None, max_shrink_iters: 1_000, ..Config::default() };
    let comparison = RefCell::new(Comparison::new());
    let played = TestRunner::new(config)
        .run(cases, |case| play(&mut comparison.borrow_mut(), &case).map_err(TestCaseError::fail));
    played.unwrap_or_else(|error| panic!("{error}"));
    let (decided, undecided) = (comparison.borrow().decided, comparison.borrow().undecided);
    100 * decided / (decided + undecided)
}

/// Any rates under any algorithm, several buckets a call, and clocks that go back: each answer is the library's, to the last
/// number, and so is the bucket that it leaves.
#[test]
fn promises_1_to_4_and_9_the_function_decides_as_the_library_does() {
    let decided = compare(&anything(), 100);
    assert!(decided > 50, "the function decided {decided} in a hundred: little was compared");
}

#[test]
fn promises_1_to_4_the_function_keeps_long_logs_as_the_library_does() {
    let decided = compare(&long_logs(), 25);
    assert!(decided > 50, "the function decided {decided} in a hundred: little was compared");
}
