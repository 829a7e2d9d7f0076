//! Whatever is asked, and whenever.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::quota::{Algorithm, Quota};
use crate::store::batch::Standing;
use crate::store::redis::differential::cases::{Case, Clock, Step, What, Whose, anything, long_logs, plain};
use crate::store::redis::differential::comparison::Comparison;
use crate::store::redis::differential::play::play;

/// How many cases, unless the environment says it.
const CASES: u32 = 300;

/// Plays so many cases in a hundred of the usual number; says how many of these were decided by the short way.
fn compare(cases: &impl Strategy<Value = Case>, percent: u32) -> u64 {
    let usual = std::env::var("SCUPPER_DIFFERENTIAL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let cases_to_play = (usual * percent).div_ceil(100);
    let config =
        Config { cases: cases_to_play, failure_persistence: None, max_shrink_iters: 3_000, ..Config::default() };
    let comparison = std::cell::RefCell::new(Comparison::new());
    let played = TestRunner::new(config)
        .run(cases, |case| play(&mut comparison.borrow_mut(), &case).map_err(TestCaseError::fail));
    played.unwrap_or_else(|error| panic!("{error}"));
    let short = comparison.borrow().server.short;
    short / u64::from(cases_to_play)
}

/// All operations, one by one and together, under any lists of rates in any order, at the server's time or the callers', with
/// times from the first to the last that a double can tell apart, and clocks that go back: each outcome of the script is the
/// library's, to the last number.
#[test]
fn promises_1_to_4_and_9_the_script_decides_as_the_library_does() {
    compare(&anything(), 200);
}

#[test]
fn promises_1_to_4_and_9_the_script_decides_as_the_library_does_where_all_is_plain() {
    let short = compare(&plain(), 150);
    assert!(short > 15, "the short way decided {short} times a case: little was compared");
}

#[test]
fn promises_1_to_4_the_script_keeps_long_logs_as_the_library_does() {
    let short = compare(&long_logs(), 50);
    assert!(short > 50, "the short way decided {short} times a case: little was compared");
}

/// What has left is remembered by one and not by the other: so far back that the bucket would follow, neither is wrong about it.
#[test]
fn promise_6_what_has_left_and_was_not_forgotten_is_no_difference_on_a_clock_that_stepped_back_far() {
    let quotas = ["1/2us", "2/1us"].map(|rates| Quota::new(Algorithm::SlidingWindowLog, rates).unwrap());
    let step = |quota, clock, what| Step { key: 0, quota, is_own_time: false, clock, what };
    let refund = What::Refund { which: 0, share: 100, tick: 0, sequence: 0 };
    let acquire = What::Acquire(0, 1, Standing::Alone);
    let steps = vec![
        step(1, Clock::Stays, acquire),
        step(1, Clock::Ticks(1), refund),
        step(0, Clock::Ticks(2), acquire),
        step(0, Clock::Back(100), refund),
        step(0, Clock::Back(100), What::Owes),
    ];
    let case = Case { quotas: quotas.into(), start: 0, whose: Whose::Server, together: 1, steps };
    play(&mut Comparison::new(), &case).unwrap();
}
