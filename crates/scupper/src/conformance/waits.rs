//! Every wait is exact: admitted at its end, denied a tick earlier.

use proptest::collection::vec;
use proptest::strategy::Strategy;

use crate::conformance::cases::{Movement, Weight, lists_of_one_log, movements, quotas, weights};
use crate::conformance::kit::{denied, micros, tick, verdict};
use crate::conformance::property::for_all;
use crate::conformance::subject::Subject;
use crate::quota::Quota;
use crate::store::{Action, Cause, Operation, Standing, Verdict};

/// After any history, a request that is denied until some tick is admitted at that tick and denied one earlier: the
/// same history is played again on other keys to see.
pub fn promise_4_at_its_retry_tick_a_request_is_admitted_and_a_tick_earlier_denied(subject: &Subject) {
    let lists = proptest::prop_oneof![4 => quotas().prop_map(|quota| vec![quota]), 1 => lists_of_one_log()];
    let steps = vec((movements(), weights(), 0_usize..12, 0_usize..4), 1..14);
    for_all(&(lists, 0_u64..100_000, steps), |(quotas, start, steps)| {
        let key = subject.fresh_key();
        let (mut clock, mut next) = (*start, *start);
        let mut history = Vec::new();
        for (movement, weight, kind, quota) in steps {
            let quota = &quotas[quota % quotas.len()];
            clock = moved(clock, next, *movement, quota);
            let operation = Operation::new(&key, action(quota, *weight, *kind)).at(tick(clock));
            let outcome = subject.submit(&[operation]).remove(0);
            if matches!(operation.action, Action::Acquire { .. })
                && let Verdict::Denied(denial) = verdict(&outcome)
            {
                assert!(denial.retry_at > denial.now, "{denial:?} is in the past");
                next = denial.retry_at.as_micros();
                let at_end = again(subject, &history, operation, next);
                let before = again(subject, &history, operation, next - 1);
                if !matches!((at_end, before), (Verdict::Admitted(_), Verdict::Denied(_))) {
                    return Err(format!("{denial:?}; at its end {at_end:?}, a tick earlier {before:?}"));
                }
                // What binds at the end is what the denial named.
                assert!(denial.cause != Cause::Queued && (denial.rate.is_none() == (denial.cause == Cause::Held)));
                assert_eq!(denied(before).cause, denial.cause);
            }
            history.push(operation);
        }
        Ok(())
    });
}

fn moved(clock: u64, next: u64, movement: Movement, quota: &Quota) -> u64 {
    match movement {
        Movement::Forward(hundredths) => clock + micros(quota.rates()[0].interval()) * hundredths / 100,
        Movement::Edge(_, beside) => next.saturating_add_signed(beside).max(clock),
        _ => clock,
    }
}

fn action(quota: &Quota, weight: Weight, kind: usize) -> Action<'_> {
    let weight = weight.units(quota);
    match kind {
        0 => Action::Penalize { quota, units: weight },
        1 => Action::Hold { quota, duration: quota.rates()[0].interval() },
        _ => Action::Acquire { quota, weight, standing: Standing::Alone },
    }
}

/// The verdict on this operation at another tick, after the same history on another key.
fn again(subject: &Subject, history: &[Operation<'_>], last: Operation<'_>, at: u64) -> Verdict {
    let key = subject.fresh_key();
    let all = history.iter().copied().chain([last.at(tick(at))]);
    let all: Vec<_> = all.map(|operation| Operation { key: &key, ..operation }).collect();
    verdict(subject.submit(&all).last().unwrap())
}
