//! A case, played on both sides.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::quota::Quota;
use crate::rate::Rate;
use crate::store::batch::{Action, Operation, Standing};
use crate::store::outcome::Admission;
use crate::store::postgres::differential::asked::{Answer, Entry, Run};
use crate::store::postgres::differential::cases::{Asked, Case, Clock, Other, What};
use crate::store::postgres::differential::comparison::Comparison;
use crate::time::Timestamp;

const KEYS: [&str; 3] = ["a", "b\0\u{1f512}'\"", "c"];

/// Plays it to the end, or to the first answer that is not the same.
pub(super) fn play(comparison: &mut Comparison, case: &Case) -> Result<(), String> {
    let mut walk = Walk { case, clock: case.start, newest: case.start, edges: BTreeSet::new(), given: Vec::new() };
    comparison.begin();
    comparison.layout = case.layout;
    match walk.play(comparison) {
        // Once more, and this time told.
        Err(difference) if comparison.told.is_none() => {
            comparison.told = Some(String::new());
            let told = play(comparison, case).err();
            comparison.told = None;
            Err(told.unwrap_or(difference))
        }
        played => played,
    }
}

struct Walk<'a> {
    case: &'a Case,
    clock: u64,
    /// The latest time since it was last too far back.
    newest: u64,
    /// Ticks at which something changes.
    edges: BTreeSet<u64>,
    given: Vec<(&'static str, Admission)>,
}

impl<'a> Walk<'a> {
    fn play(&mut self, comparison: &mut Comparison) -> Result<(), String> {
        for step in &self.case.steps {
            self.go(step.clock);
            match &step.what {
                What::Acquire(asked) => {
                    let runs: Vec<Run<'a>> = asked.iter().zip(KEYS).map(|(asked, key)| self.run(key, asked)).collect();
                    let answers = comparison.submit(self.clock, &runs)?;
                    self.learn(&runs, answers);
                }
                What::Other(key, other) => self.ask(comparison, KEYS[*key], *other),
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
        self.clock = self.clock.min((1 << 61) + 1);
        if self.clock > self.newest || self.newest - self.clock > retention {
            self.newest = self.clock;
        }
    }

    fn quota(&self, key: &str) -> &'a Quota {
        // The last bucket has a quota of its own, if there is one.
        if key == KEYS[2] { self.case.quotas.last().unwrap() } else { &self.case.quotas[0] }
    }

    fn run(&self, key: &'static str, asked: &[Asked]) -> Run<'a> {
        let quota = self.quota(key);
        let entry = |asked: &Asked| {
            let weight = units(quota, asked.share);
            // More would take the library too long.
            let most = if quota.capacity() / weight > 500 { 500 } else { u32::MAX };
            Entry { weight, count: asked.count.min(most), standing: asked.standing }
        };
        Run { key, quota, entries: asked.iter().map(entry).collect() }
    }

    fn ask(&self, comparison: &mut Comparison, key: &'static str, other: Other) {
        let quota = self.quota(key);
        let interval = quota.rates()[0].interval();
        let now = Timestamp::from_micros(self.clock);
        let acquire = |quota| Action::Acquire { quota, weight: 1, standing: Standing::Alone };
        let action = match other {
            Other::Penalize(share) => Action::Penalize { quota, units: units(quota, share) },
            Other::Refund(which) => {
                let Some((_, given)) = self.given.iter().rev().filter(|(given, _)| *given == key).nth(which) else {
                    return;
                };
                Action::Refund(*given)
            }
            Other::Hold(part) => {
                Action::Hold { quota, duration: interval.saturating_mul(u32::try_from(part).unwrap()) / 100 }
            }
            Other::Reset => Action::Reset,
            Other::OwnTime => acquire(quota),
            Other::AnotherList => acquire(self.case.quotas.last().unwrap()),
        };
        let own_time = matches!(other, Other::OwnTime).then_some(now);
        // Another algorithm is an error, and changes nothing.
        let _ = comparison.apply(self.clock, &Operation { at: own_time, ..Operation::new(key, action) });
    }

    fn learn(&mut self, runs: &[Run<'a>], answers: Vec<(&'static str, Vec<Answer>)>) {
        for (key, answers) in answers {
            let Some(run) = runs.iter().find(|run| run.key == key) else { continue };
            for (answer, entry) in answers.iter().zip(&run.entries) {
                let [_, admitted, tick, sequence, _, retry_at, ..] = answer.map(i64::cast_unsigned);
                if admitted > 0 {
                    let tick_of = Timestamp::from_micros(tick);
                    self.given.push((key, Admission { tick: tick_of, weight: entry.weight, sequence }));
                    self.edges.extend(run.quota.rates().iter().flat_map(|rate| changes_after(tick, rate)));
                }
                self.edges.insert(retry_at);
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
