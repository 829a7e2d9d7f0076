use std::fmt::Write as _;

use crate::conformance::cases::{Movement, Step, Trace, What};
use crate::conformance::kit::micros;
use crate::conformance::oracle::{Expected, Given, Oracle};
use crate::conformance::subject::Subject;
use crate::quota::{Algorithm, Quota};
use crate::store::{Action, Operation, Reply, Standing, Verdict};
use crate::time::Timestamp;

/// Plays a trace on a store, at the ticks that the oracle makes interesting, and compares every outcome.
pub(super) struct Replay<'a> {
    subject: &'a Subject,
    trace: &'a Trace,
    key: &'a str,
    foreign: Vec<Quota>,
    oracle: Oracle,
    clock: u64,
    given: Vec<Given>,
    story: String,
}

/// An operation that waits to be sent, what is expected of it, and the bucket's age at it.
type Waiting<'b> = (Operation<'b>, Expected, usize);

impl<'a> Replay<'a> {
    pub(super) fn new(subject: &'a Subject, trace: &'a Trace, key: &'a str) -> Self {
        let foreign = Algorithm::ALL.iter().filter(|other| **other != trace.quotas[0].algorithm());
        Self {
            subject,
            trace,
            key,
            foreign: foreign.map(|other| Quota::new(*other, plain_rates(&trace.quotas[0])).unwrap()).collect(),
            oracle: Oracle::new(&trace.quotas[0]),
            clock: trace.start,
            given: Vec::new(),
            story: String::new(),
        }
    }

    /// Plays it to the end, or to the first outcome that is wrong.
    pub(super) fn run(mut self) -> Result<(), String> {
        let (trace, foreign) = (self.trace, std::mem::take(&mut self.foreign));
        let mut waiting: Vec<Waiting<'_>> = Vec::new();
        for (place, step) in trace.steps.iter().enumerate() {
            let quota = &trace.quotas[step.quota];
            if matches!(step.what, What::Refund(_)) {
                // A permit must have come back before it can be given back.
                self.send(&mut waiting)?;
            }
            self.move_clock(step, quota);
            let Some((action, expected)) = self.ask(step, quota, &foreign[place % foreign.len()]) else { continue };
            let is_news = matches!(expected, Expected::Admitted { sequence: None, .. });
            let operation = Operation::new(self.key, action).at(Timestamp::from_micros(self.clock));
            waiting.push((operation, expected, self.oracle.age()));
            if is_news || waiting.len() >= trace.together {
                self.send(&mut waiting)?;
            }
        }
        self.send(&mut waiting)
    }

    fn move_clock(&mut self, step: &Step, quota: &Quota) {
        let hundredth = |hundredths: u64| micros(quota.rates()[0].interval()) * hundredths / 100;
        let target = match step.clock {
            Movement::Stay => self.clock,
            Movement::Forward(hundredths) => self.clock + hundredth(hundredths),
            Movement::Edge(which, beside) => {
                let mut edges = self.oracle.changes(1);
                edges.retain(|edge| *edge > self.clock);
                edges.sort_unstable();
                edges.get(which % edges.len().max(1)).map_or(self.clock, |edge| edge.saturating_add_signed(beside))
            }
            Movement::Back(hundredths) => {
                let standing = self.oracle.retention() * hundredths / 100;
                self.oracle.newest().saturating_sub(standing).min(self.clock)
            }
            Movement::BackBeyond(ticks) => self.oracle.newest().saturating_sub(self.oracle.retention() + ticks),
        };
        // A bucket that owes nothing may be gone, and with it the memory of later times.
        let may_go_back = !self.oracle.is_idle(self.clock);
        self.clock = if may_go_back { target } else { target.max(self.clock).max(self.oracle.newest()) };
        // What changes nothing does not turn the clock back for good either.
        let changes_nothing = match step.what {
            What::Peek | What::Refund(_) | What::Foreign => true,
            What::Acquire(weight) => weight.units(quota) > quota.capacity(),
            _ => false,
        };
        if changes_nothing && self.oracle.is_far_behind(self.clock) {
            self.clock = self.oracle.newest();
        }
    }

    fn ask<'b>(&mut self, step: &Step, quota: &'b Quota, foreign: &'b Quota) -> Option<(Action<'b>, Expected)> {
        let action = match step.what {
            What::Acquire(weight) => Action::Acquire { quota, weight: weight.units(quota), standing: Standing::Alone },
            What::Peek => Action::Peek { quota },
            What::Refund(_) if self.given.is_empty() => return None,
            What::Refund(which) => {
                let given = self.given.remove(which % self.given.len());
                if self.oracle.is_ambiguous(self.clock, &given) {
                    return None;
                }
                return Some((Action::Refund(given.admission), self.oracle.refund(self.clock, given)));
            }
            What::Penalize(weight) => Action::Penalize { quota, units: weight.units(quota) },
            What::Reset => Action::Reset,
            What::Hold(hundredths) => {
                let duration = quota.rates()[0].interval() * hundredths / 100;
                Action::Hold { quota, duration }
            }
            What::Foreign if self.oracle.is_charged(self.clock) => {
                Action::Acquire { quota: foreign, weight: 1, standing: Standing::Alone }
            }
            What::Foreign => return None,
        };
        Some((action, self.oracle.apply(self.clock, &action)))
    }

    fn send(&mut self, waiting: &mut Vec<Waiting<'_>>) -> Result<(), String> {
        let operations: Vec<Operation<'_>> = waiting.iter().map(|(operation, ..)| *operation).collect();
        let outcomes = self.subject.submit(&operations);
        for ((operation, expected, age), outcome) in waiting.drain(..).zip(outcomes) {
            let at = operation.at.unwrap_or_default().as_micros();
            let _ = writeln!(self.story, "at {at}: {} -> {outcome:?}", said(&operation.action));
            if let Err(wrong) = expected.compare(&outcome) {
                return Err(format!("{}{wrong}", self.story));
            }
            if let Ok(Reply::Acquired(Verdict::Admitted(admission))) = outcome {
                if matches!(expected, Expected::Admitted { sequence: None, .. }) {
                    self.oracle.learn(admission);
                }
                self.given.push(Given { admission, age });
            }
        }
        Ok(())
    }
}

/// The rates without their bursts, which one algorithm alone knows.
fn plain_rates(quota: &Quota) -> crate::rates::Rates {
    let plain = |rate: &crate::rate::Rate| crate::rate::Rate::new(rate.limit(), rate.interval()).unwrap();
    crate::rates::Rates::new(quota.rates().iter().map(plain)).unwrap()
}

/// An action without its quota, which the case shows.
fn said(action: &Action<'_>) -> String {
    match action {
        Action::Acquire { weight, .. } => format!("acquire {weight}"),
        Action::Peek { .. } => "peek".into(),
        Action::Refund(admission) => format!("refund {admission:?}"),
        Action::Penalize { units, .. } => format!("penalize {units}"),
        Action::Reset => "reset".into(),
        Action::Hold { duration, .. } => format!("hold {duration:?}"),
        Action::List { .. } => "list".into(),
    }
}
