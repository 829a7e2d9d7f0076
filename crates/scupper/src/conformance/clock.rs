//! Clocks that step.

use std::time::Duration;

use crate::conformance::kit::{admitted, denied, log, take, tick, under_each};
use crate::conformance::subject::Subject;
use crate::quota::Algorithm;
use crate::store::{Action, Cause, Operation, Reply};

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3600 * SECOND;
/// A full hour, so that windows of every length begin there.
const TEN: u64 = 10 * HOUR;

/// After a step back of no more than the longest interval, the bucket's time stands still until the clock has caught
/// up.
pub fn promise_6_a_small_step_back_frees_nothing(subject: &Subject) {
    for quota in under_each("2/s, 3/min") {
        let key = subject.fresh_key();
        admitted(subject.acquire(&take(&key, &quota, 2, TEN)));
        let retry_at = denied(subject.acquire(&take(&key, &quota, 2, TEN))).retry_at;
        for back in [1, SECOND / 2, SECOND, 30 * SECOND, 60 * SECOND] {
            let denial = denied(subject.acquire(&take(&key, &quota, 2, TEN - back)));
            assert_eq!((denial.now, denial.retry_at), (tick(TEN - back), retry_at), "{back} back under {quota}");
            assert_eq!(subject.look(&key, &quota, Some(tick(TEN - back))).usage[0].used, 2);
        }
        let late = admitted(subject.acquire(&take(&key, &quota, 1, TEN + SECOND + 1)));
        let again = denied(subject.acquire(&take(&key, &quota, 1, TEN + 1)));
        assert_eq!(again.rate, Some(1), "under {quota}");
        assert_eq!(late.tick, tick(TEN + SECOND + 1));
    }
}

/// What is admitted while the bucket's time stands still is counted at that time.
pub fn promise_6_while_time_stands_still_admissions_keep_its_tick(subject: &Subject) {
    for quota in under_each("2/s") {
        let key = subject.fresh_key();
        admitted(subject.acquire(&take(&key, &quota, 1, TEN)));
        assert_eq!(admitted(subject.acquire(&take(&key, &quota, 1, TEN - 7))).tick, tick(TEN), "under {quota}");
        assert_eq!(denied(subject.acquire(&take(&key, &quota, 1, TEN - 9))).cause, Cause::Full);
    }
}

/// After a step back of more, everything keeps its age and goes on from the new time: an hour back costs nobody an
/// hour.
pub fn promise_6_a_step_back_of_an_hour_frees_nothing_and_costs_no_hour(subject: &Subject) {
    for quota in under_each("2/s, 3/min") {
        let key = subject.fresh_key();
        admitted(subject.acquire(&take(&key, &quota, 1, TEN)));
        admitted(subject.acquire(&take(&key, &quota, 1, TEN + SECOND / 4)));
        let back = TEN - HOUR + SECOND / 4;
        assert_eq!(subject.look(&key, &quota, Some(tick(TEN + SECOND / 4))).usage[0].used, 2);
        let denial = denied(subject.acquire(&take(&key, &quota, 1, back)));
        let (first, second) = match quota.algorithm() {
            Algorithm::SlidingWindowLog => (back - SECOND / 4 + SECOND + 1, back + SECOND + 1),
            Algorithm::FixedWindow => (TEN - HOUR + SECOND, TEN - HOUR + SECOND),
            // Three quarters of a second of two units drained since: 5/4 s … half a second each.
            Algorithm::Gcra => (back + SECOND / 4, back + SECOND * 3 / 4),
        };
        assert_eq!((denial.now, denial.retry_at), (tick(back), tick(first)), "under {quota}");
        denied(subject.acquire(&take(&key, &quota, 1, first - 1)));
        let both = denied(subject.acquire(&take(&key, &quota, 2, first - 1)));
        assert!(both.retry_at >= tick(second), "under {quota}");
        admitted(subject.acquire(&take(&key, &quota, 1, first)));
    }
}

/// A hold that was under way when the clock stepped back goes on for what was left of it.
pub fn promise_6_a_hold_survives_a_step_back(subject: &Subject) {
    let quota = log("5/s");
    let key = subject.fresh_key();
    let hold = Action::Hold { quota: &quota, duration: Duration::from_secs(10) };
    assert_eq!(subject.reply(&Operation::new(&key, hold).at(tick(TEN))), Reply::Held(tick(TEN + 10 * SECOND)));
    let denial = denied(subject.acquire(&take(&key, &quota, 1, TEN - HOUR)));
    assert_eq!((denial.cause, denial.retry_at), (Cause::Held, tick(TEN - HOUR + 10 * SECOND)));
    denied(subject.acquire(&take(&key, &quota, 1, TEN - HOUR + 10 * SECOND - 1)));
    admitted(subject.acquire(&take(&key, &quota, 1, TEN - HOUR + 10 * SECOND)));
}

/// What had left every window does not come back when the clock does, not even at the beginning of time.
pub fn promise_2_a_step_back_to_the_origin_brings_nothing_back(subject: &Subject) {
    let quota = log("2/s");
    let key = subject.fresh_key();
    admitted(subject.acquire(&take(&key, &quota, 2, TEN)));
    admitted(subject.acquire(&take(&key, &quota, 1, TEN + HOUR)));
    admitted(subject.acquire(&take(&key, &quota, 1, SECOND / 10)));
    denied(subject.acquire(&take(&key, &quota, 1, SECOND / 10)));
}

/// An hour forward lets everything age by an hour, and no more.
pub fn promise_6_a_step_forward_ages_by_its_size(subject: &Subject) {
    for quota in under_each("2/s, 3/h, 4/d") {
        let key = subject.fresh_key();
        admitted(subject.acquire(&take(&key, &quota, 2, TEN)));
        admitted(subject.acquire(&take(&key, &quota, 2, TEN + HOUR + 1)));
        assert_eq!(denied(subject.acquire(&take(&key, &quota, 1, TEN + HOUR + 2 * SECOND))).rate, Some(2), "{quota}");
    }
}

/// A look, a request of the wrong algorithm and a refund at a stray time change nothing for those who come at the right
/// one.
pub fn promise_3_what_changes_nothing_does_not_turn_the_clock_back(subject: &Subject) {
    for quota in under_each("2/min") {
        let other = under_each("2/min").find(|other| *other != quota).unwrap();
        let key = subject.fresh_key();
        let first = admitted(subject.acquire(&take(&key, &quota, 2, TEN)));
        let stray = tick(TEN - HOUR);
        subject.look(&key, &quota, Some(stray));
        subject.look(&key, &crate::conformance::kit::quota(quota.algorithm(), "1/min"), Some(stray));
        let refused = Operation::acquire(&key, &other, 1).at(stray);
        subject.submit(&[refused]).remove(0).expect_err("another algorithm is refused");
        let denial = denied(subject.acquire(&take(&key, &quota, 2, TEN + 1)));
        assert!(denial.retry_at > tick(TEN + 59 * SECOND), "under {quota}: {denial:?}");
        let refund = Operation::new(&key, Action::Refund(first)).at(tick(TEN + 1));
        assert!(matches!(subject.reply(&refund), Reply::Refunded(1..=2)), "the permit is worth something yet");
    }
}

/// A permit from before a step back gives nothing back, neither at once nor when its tick comes again, as long as the bucket
/// owes anything: what is taken at that tick then is another's.
pub fn promise_6_a_permit_from_before_a_step_back_gives_nothing_back(subject: &Subject) {
    for quota in under_each("2/s, 9/min") {
        let key = subject.fresh_key();
        let permit = admitted(subject.acquire(&take(&key, &quota, 1, TEN)));
        let hold = Action::Hold { quota: &quota, duration: Duration::from_hours(2) };
        assert_eq!(subject.reply(&Operation::new(&key, hold).at(tick(TEN - HOUR))), Reply::Held(tick(TEN + HOUR)));
        let penalize = Action::Penalize { quota: &quota, units: 1 };
        for at in [TEN - HOUR, TEN] {
            if at == TEN {
                assert_eq!(subject.reply(&Operation::new(&key, penalize).at(tick(at))), Reply::Penalized(tick(at)));
            }
            let refund = Operation::new(&key, Action::Refund(permit)).at(tick(at));
            assert_eq!(subject.reply(&refund), Reply::Refunded(0), "at {at} under {quota}");
            assert_eq!(subject.look(&key, &quota, Some(tick(at))).usage[0].used, 1, "at {at} under {quota}");
        }
    }
}

/// A refund at a late reading of the clock does not free what an earlier reading still counts.
pub fn promise_6_a_refund_at_a_late_reading_frees_only_itself(subject: &Subject) {
    let quota = log("3/s");
    let key = subject.fresh_key();
    admitted(subject.acquire(&take(&key, &quota, 1, TEN)));
    let second = admitted(subject.acquire(&take(&key, &quota, 1, TEN + SECOND / 2)));
    admitted(subject.acquire(&take(&key, &quota, 1, TEN + SECOND / 2)));
    let late = Operation::new(&key, Action::Refund(second)).at(tick(TEN + SECOND + 1));
    assert_eq!(subject.reply(&late), Reply::Refunded(1));
    assert_eq!(subject.look(&key, &quota, Some(tick(TEN + SECOND / 2))).usage[0].used, 2);
}
