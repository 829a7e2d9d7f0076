//! The largest and the smallest numbers: nothing wraps, drifts or loses a unit.

use crate::conformance::kit::{admitted, denied, log, micros, quota, take, tick, under_each, verdict};
use crate::conformance::subject::Subject;
use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::{Action, Operation, Reply, Verdict};

/// Instants that stores are known to get wrong: the first, those beyond 32 bits, today's, and
/// some of the last that a double can tell apart.
const STARTS: [u64; 5] = [0, 1, u32::MAX as u64, 1_780_000_000_000_000, (1 << 53) - 600_000_000];

/// As heavy as the limit fits, once; a unit more never does.
pub fn promise_9_as_heavy_as_the_limit_fits_and_a_unit_more_never(subject: &Subject) {
    for start in STARTS {
        for quota in under_each("5/s, 7/min") {
            let key = subject.fresh_key();
            assert_eq!(subject.acquire(&take(&key, &quota, 6, start)), Verdict::NeverFits { rate: 0 });
            let admission = admitted(subject.acquire(&take(&key, &quota, 5, start)));
            assert_eq!((admission.tick, admission.weight), (tick(start), 5), "under {quota}");
            let denial = denied(subject.acquire(&take(&key, &quota, 1, start)));
            let retry_at = match quota.algorithm() {
                Algorithm::SlidingWindowLog => start + 1_000_001,
                Algorithm::FixedWindow => (start / 1_000_000 + 1) * 1_000_000,
                Algorithm::Gcra => start + 200_000,
            };
            assert_eq!(denial.retry_at, tick(retry_at), "at {start} under {quota}");
            denied(subject.acquire(&take(&key, &quota, 1, retry_at - 1)));
            admitted(subject.acquire(&take(&key, &quota, 1, retry_at)));
            assert_eq!(subject.acquire(&take(&key, &quota, Rate::MAX_LIMIT, start)), Verdict::NeverFits { rate: 0 });
        }
    }
}

/// Limit, interval and weight at their maxima, alone and together.
pub fn promise_9_maxima_are_exact(subject: &Subject) {
    let longest = Rate::MAX_INTERVAL;
    let start = 1_780_000_000_000_000;
    for limit in [1, 3, Rate::MAX_LIMIT - 1, Rate::MAX_LIMIT] {
        for algorithm in Algorithm::ALL {
            let quota = Quota::new(algorithm, Rate::new(limit, longest).unwrap()).unwrap();
            let key = subject.fresh_key();
            admitted(subject.acquire(&take(&key, &quota, limit, start)));
            let usage = subject.look(&key, &quota, Some(tick(start))).usage[0];
            assert_eq!((usage.used, usage.remaining), (limit, 0), "under {quota}");
            for weight in [1, limit] {
                let denial = denied(subject.acquire(&take(&key, &quota, weight, start)));
                let interval = micros(longest);
                let retry_at = match algorithm {
                    Algorithm::SlidingWindowLog => start + interval + 1,
                    Algorithm::FixedWindow => (start / interval + 1) * interval,
                    // So many units drain in this time, rounded up.
                    Algorithm::Gcra => {
                        let drain = (u128::from(weight) * u128::from(interval)).div_ceil(u128::from(limit));
                        start + u64::try_from(drain).unwrap()
                    }
                };
                assert_eq!(denial.retry_at, tick(retry_at), "{weight} units under {quota}");
                denied(subject.acquire(&take(&key, &quota, weight, retry_at - 1)));
            }
        }
    }
}

/// Three million a second are three in every microsecond: not one, not four, and none lost in a year.
pub fn promise_9_gcra_does_not_drift(subject: &Subject) {
    const YEAR: u64 = 366 * 24 * 3600 * 1_000_000;
    let quota = quota(Algorithm::Gcra, "3000000/s+3");
    let key = subject.fresh_key();
    let four = |at: u64| {
        let outcomes = subject.submit(&[take(&key, &quota, 1, at); 4]);
        let verdicts: Vec<_> = outcomes.iter().map(verdict).collect();
        for verdict in &verdicts[..3] {
            assert_eq!(admitted(*verdict).tick, tick(at));
        }
        assert_eq!(denied(verdicts[3]).retry_at, tick(at + 1));
    };
    (0..2_000).for_each(four);
    (1..1_000).for_each(|step| four(YEAR + step * 1_000_003));
    // Seven in three microseconds: a unit takes a fraction of one that no decimal number is.
    let sevenths = crate::conformance::kit::quota(Algorithm::Gcra, "7/3us");
    let key = subject.fresh_key();
    let mut total = 0;
    for passed in 0..3_000 {
        let outcomes = subject.submit(&[take(&key, &sevenths, 1, YEAR + passed); 5]);
        total += outcomes.iter().filter(|outcome| matches!(verdict(outcome), Verdict::Admitted(_))).count();
    }
    assert_eq!(total, 7 + 2_999 * 7 / 3, "the burst and what drained since");
}

/// Thousands in one tick are counted one by one, and leave together.
pub fn thousands_in_one_tick_are_all_counted(subject: &Subject) {
    for quota in under_each("5000/s") {
        let key = subject.fresh_key();
        for _ in 0..50 {
            let outcomes = subject.submit(&[take(&key, &quota, 1, 7_000_000); 100]);
            for outcome in &outcomes {
                assert_eq!(admitted(verdict(outcome)).tick, tick(7_000_000));
            }
        }
        denied(subject.acquire(&take(&key, &quota, 1, 7_000_000)));
        assert_eq!(subject.look(&key, &quota, Some(tick(7_000_000))).usage[0].used, 5_000);
        assert_eq!(subject.look(&key, &quota, Some(tick(8_000_001))).usage[0].used, 0);
        admitted(subject.acquire(&take(&key, &quota, 5_000, 8_000_001)));
    }
}

/// Sums up to the last that a double can tell apart are exact.
pub fn promise_9_sums_near_the_end_of_doubles_are_exact(subject: &Subject) {
    const HEAVIEST: u64 = Rate::MAX_LIMIT;
    for quota in [log("1000000000000/s"), quota(Algorithm::FixedWindow, "1000000000000/s")] {
        let key = subject.fresh_key();
        let penalize = |units| Operation::new(&key, Action::Penalize { quota: &quota, units }).at(tick(1_000_000));
        for _ in 0..90 {
            subject.submit(&[penalize(HEAVIEST); 100]);
        }
        for odd in [1, 2, 4, 7] {
            assert_eq!(subject.reply(&penalize(odd)), Reply::Penalized(tick(1_000_000)));
        }
        let usage = subject.look(&key, &quota, Some(tick(1_000_000))).usage[0];
        assert_eq!((usage.used, usage.remaining), (9_000 * HEAVIEST + 14, 0), "under {quota}");
        denied(subject.acquire(&take(&key, &quota, 1, 1_000_000)));
        let fresh = admitted(subject.acquire(&take(&key, &quota, HEAVIEST, 2_000_001)));
        assert_eq!(
            subject.reply(&Operation::new(&key, Action::Refund(fresh)).at(tick(2_000_002))),
            Reply::Refunded(HEAVIEST)
        );
    }
}
