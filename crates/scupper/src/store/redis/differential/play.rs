//! A case, played on both sides.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::quota::Quota;
use crate::rate::Rate;
use crate::store::batch::{Action, Operation, Standing};
use crate::store::outcome::{Admission, Outcome, Reply, Verdict};
use crate::store::redis::differential::cases::{Case, Clock, Step, What, Whose};
use crate::store::redis::differential::comparison::{Comparison, End};
use crate::time::Timestamp;

const KEYS: [&str; 3] = ["a", "b", "c"];
/// The last time that a double can tell from the next.
const LATEST: u64 = (1 << 53) - 1;

/// Plays it to the end, or to the first outcome that is not the same.
pub(super) fn play(comparison: &mut Comparison, case: &Case) -> Result<(), String> {
    let mut walk = Walk::new(case);
    comparison.begin();
    match walk.play(comparison) {
        Ok(()) | Err(End::OfTime) => Ok(()),
        // Once more, and this time told.
        Err(End::Difference(difference)) if comparison.told.is_none() => {
            comparison.told = Some(String::new());
            let told = play(comparison, case).err();
            comparison.told = None;
            Err(told.unwrap_or(difference))
        }
        Err(End::Difference(difference)) => Err(difference),
    }
}

struct Walk<'a> {
    case: &'a Case,
    clock: u64,
    /// The latest time since it was last too far back.
    newest: u64,
    /// The latest of all.
    latest: u64,
    /// Ticks at which something changes.
    edges: BTreeSet<u64>,
    given: Vec<Admission>,
}

impl<'a> Walk<'a> {
    fn new(case: &'a Case) -> Self {
        Self {
            case,
            clock: case.start,
            newest: case.start,
            latest: case.start,
            edges: BTreeSet::new(),
            given: Vec::new(),
        }
    }

    fn play(&mut self, comparison: &mut Comparison) -> Result<(), End> {
        for steps in self.case.steps.chunks(self.case.together) {
            let mut operations = Vec::new();
            for step in steps {
                self.go(step.clock);
                self.ask(step, &mut operations);
            }
            let clock = self.server_clock();
            self.begin_with_the_longest(comparison, &mut operations, clock);
            let outcomes = comparison.submit(clock, &operations)?;
            self.learn(&operations, &outcomes);
            // What has left every window, and a hold that has passed, may be remembered, and be ahead of another clock.
            if self.clock == self.latest
                && self.case.whose == Whose::Server
                && steps.iter().any(|step| matches!(step.what, What::Owes))
            {
                comparison.owes(clock, KEYS[steps[0].key])?;
            }
        }
        Ok(())
    }

    fn go(&mut self, clock: Clock) {
        let interval = micros(self.case.quotas[0].rates()[0].interval());
        let retention = self.case.quotas[0].retention();
        self.clock = match clock {
            Clock::Stays => self.clock,
            Clock::Ticks(ticks) => self.clock + ticks,
            Clock::Forward(hundredths) => self.clock + (interval * hundredths).div_ceil(100),
            Clock::Back(hundredths) => self.clock.saturating_sub(interval * hundredths / 100),
            Clock::Edge(nth, side) => {
                let next = self.edges.range(self.clock + 1..).nth(nth);
                next.map_or(self.clock + 1, |edge| edge - 1 + side)
            }
            Clock::EdgeBack(side) => (self.newest + side).saturating_sub(retention + 1).min(self.clock),
        };
        self.clock = self.clock.min(LATEST);
        if self.clock > self.newest || self.newest - self.clock > retention {
            self.newest = self.clock;
        }
        self.latest = self.latest.max(self.clock);
    }

    fn server_clock(&self) -> u64 {
        let (clock, ahead) = match self.case.whose {
            Whose::Server => return self.clock,
            Whose::Either { ahead } | Whose::Callers { ahead, goes_on: true } => (self.clock, ahead),
            Whose::Callers { ahead, goes_on: false } => (self.case.start, ahead),
        };
        // At 0, it would be as if no caller had kept the time.
        clock.saturating_add_signed(ahead).clamp(1, LATEST)
    }

    fn time_of(&self, step: &Step) -> Option<Timestamp> {
        let is_own = match self.case.whose {
            Whose::Server => false,
            Whose::Callers { .. } => true,
            Whose::Either { .. } => step.is_own_time,
        };
        is_own.then_some(Timestamp::from_micros(self.clock))
    }

    fn quota(&self, step: &Step) -> &'a Quota {
        &self.case.quotas[step.quota % self.case.quotas.len()]
    }

    fn ask(&self, step: &Step, operations: &mut Vec<Operation<'a>>) {
        let quota = self.quota(step);
        let hundredths = |hundredths| quota.rates()[0].interval() * hundredths / 100;
        let (action, count) = match step.what {
            What::Acquire(share, count, standing) => {
                (Action::Acquire { quota, weight: units(quota, share), standing }, count)
            }
            What::Peek => (Action::Peek { quota }, 1),
            What::Refund { which, share, tick, sequence } => {
                let Some(last) = self.given.len().checked_sub(1) else { return };
                let given = self.given[last - which % self.given.len()];
                let admission = Admission {
                    tick: Timestamp::from_micros(given.tick.as_micros().saturating_add_signed(tick)),
                    weight: (given.weight * share / 100).clamp(1, given.weight),
                    sequence: given.sequence.saturating_add_signed(sequence),
                };
                (Action::Refund(admission), 1)
            }
            What::Penalize(share) => (Action::Penalize { quota, units: units(quota, share) }, 1),
            What::Reset => (Action::Reset, 1),
            What::Hold(part) => (Action::Hold { quota, duration: hundredths(u32::try_from(part).unwrap()) }, 1),
            What::Owes => return,
        };
        let operation = Operation { at: self.time_of(step), ..Operation::new(KEYS[step.key], action) };
        operations.extend(std::iter::repeat_n(operation, count));
    }

    /// What has left every window may be remembered for a longer list that comes later, or not: here, the longest is there
    /// from the beginning of each bucket.
    fn begin_with_the_longest(&self, comparison: &mut Comparison, operations: &mut Vec<Operation<'a>>, clock: u64) {
        let [longest, _, ..] = self.case.quotas.as_slice() else { return };
        for key in KEYS {
            let first = operations.iter().find(|operation| operation.key == key);
            if let Some(at) = first.map(|first| first.at)
                && !comparison.has(key, clock)
            {
                let weight = units(longest, 0);
                let action = Action::Acquire { quota: longest, weight, standing: Standing::Alone };
                operations.insert(0, Operation { at, ..Operation::new(key, action) });
            }
        }
    }

    fn learn(&mut self, operations: &[Operation<'_>], outcomes: &[Outcome]) {
        for (operation, outcome) in operations.iter().zip(outcomes) {
            match outcome {
                Ok(Reply::Acquired(Verdict::Admitted(admission))) => {
                    self.given.push(*admission);
                    let rates = operation.quota().into_iter().flat_map(|quota| quota.rates().iter());
                    self.edges.extend(rates.flat_map(|rate| changes_after(admission.tick.as_micros(), rate)));
                }
                Ok(Reply::Acquired(Verdict::Denied(denial))) => {
                    self.edges.insert(denial.retry_at.as_micros());
                }
                Ok(Reply::Peeked(snapshot)) => {
                    self.edges.extend(snapshot.usage.iter().map(|usage| usage.reset_at.as_micros()));
                }
                Ok(Reply::Held(until)) => {
                    self.edges.insert(until.as_micros());
                }
                _ => {}
            }
        }
        self.edges = self.edges.split_off(&self.clock);
    }
}

/// When something admitted at this tick leaves a window, and when the next window begins.
fn changes_after(tick: u64, rate: &Rate) -> [u64; 2] {
    let interval = micros(rate.interval());
    [tick + interval + 1, tick - tick % interval + interval]
}

/// Hundredths of a quota's capacity, at least a unit.
fn units(quota: &Quota, share: u64) -> u64 {
    (quota.capacity() * share / 100).clamp(1, Rate::MAX_LIMIT)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}
