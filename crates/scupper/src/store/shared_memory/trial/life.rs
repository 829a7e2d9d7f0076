//! Operations as they come, on a few keys and under rates whose windows are a few ticks long.

use std::time::Duration;

use proptest::prelude::*;

use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation, Standing};
use crate::store::outcome::{Admission, Outcome, Reply, Verdict};
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Acquire(u64),
    Peek,
    Refund(usize),
    Penalize(u64),
    Reset,
    Hold(u64),
}

/// An operation, so many ticks after the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) pause: u64,
    pub(super) key: usize,
    pub(super) quota: usize,
    pub(super) what: What,
    /// At a time of the caller's own, so many ticks from the beginning of time.
    pub(super) at: Option<u64>,
}

pub(super) const KEYS: [&str; 4] = ["", "user:42", "a key that takes more than one word", "ключ"];

const RATES: [(Algorithm, &str); 8] = [
    // Of one retention, as what others may have dropped is not certain.
    (Algorithm::SlidingWindowLog, "3/5us, 20/900us"),
    (Algorithm::SlidingWindowLog, "2/3us, 5/20us, 30/900us"),
    (Algorithm::SlidingWindowLog, "40/900us"),
    (Algorithm::SlidingWindowLog, "1000000/900us"),
    (Algorithm::FixedWindow, "4/9us"),
    (Algorithm::FixedWindow, "2/3us, 9/70us"),
    (Algorithm::Gcra, "3/10us"),
    (Algorithm::Gcra, "3/10us+7, 20/900us"),
];

/// The quotas that operations bring.
pub(super) fn quotas() -> Vec<Quota> {
    RATES.into_iter().map(|(algorithm, rates)| Quota::new(algorithm, rates).unwrap()).collect()
}

pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![
        20 => (1_u64..4).prop_map(What::Acquire),
        1 => (1_u64..2_000).prop_map(What::Acquire),
        3 => Just(What::Peek),
        4 => any::<usize>().prop_map(What::Refund),
        2 => (1_u64..9).prop_map(What::Penalize),
        1 => Just(What::Reset),
        1 => (0_u64..30).prop_map(What::Hold),
    ];
    // Mostly each key under its own rates, and seldom at the caller's time.
    let quota = prop_oneof![6 => Just(None), 1 => any::<usize>().prop_map(Some)];
    let pause = prop_oneof![6 => 0_u64..4, 2 => 0_u64..60, 1 => 0_u64..2_000];
    let at = prop_oneof![12 => Just(None), 1 => (0_u64..100).prop_map(Some)];
    let step = (pause, 0..KEYS.len(), quota, what, at).prop_map(|(pause, key, quota, what, at)| Step {
        pause,
        key,
        quota: quota.unwrap_or(key * 2),
        what,
        at,
    });
    (prop::collection::vec(step, 1..most), 0..2_usize).prop_map(|(mut steps, shift)| {
        for step in &mut steps {
            step.quota += shift;
        }
        steps
    })
}

/// What was admitted on each key.
pub(super) type Permits = [Vec<Admission>; KEYS.len()];

impl Step {
    pub(super) fn key(&self) -> &'static str {
        KEYS[self.key]
    }

    /// The operation, if there is something for it to give back.
    pub(super) fn operation<'a>(&self, quotas: &'a [Quota], permits: &mut Permits) -> Option<Operation<'a>> {
        let quota = &quotas[self.quota % quotas.len()];
        let action = match self.what {
            What::Acquire(weight) => Action::Acquire { quota, weight, standing: Standing::Alone },
            What::Peek => Action::Peek { quota },
            What::Refund(which) => {
                let permits = &mut permits[self.key];
                if permits.is_empty() {
                    return None;
                }
                Action::Refund(permits.swap_remove(which % permits.len()))
            }
            What::Penalize(units) => Action::Penalize { quota, units },
            What::Reset => Action::Reset,
            What::Hold(micros) => Action::Hold { quota, duration: Duration::from_micros(micros) },
        };
        Some(Operation { key: self.key(), at: self.at.map(Timestamp::from_micros), action })
    }

    /// Keeps the permit, if this is one.
    pub(super) fn note(&self, outcome: &Outcome, permits: &mut Permits) {
        if let Ok(Reply::Acquired(Verdict::Admitted(admission))) = outcome {
            permits[self.key].push(*admission);
        }
    }
}
