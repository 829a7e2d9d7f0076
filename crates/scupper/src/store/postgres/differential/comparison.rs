//! Both sides, asked the same.

use std::fmt::Write as _;

use crate::quota::Quota;
use crate::store::batch::Operation;
use crate::store::bucket::{BucketState, Numbers};
use crate::store::outcome::Outcome;
use crate::store::postgres::differential::asked::{Answer, Entry, Run, UNDECIDED};
use crate::store::postgres::differential::layout::Layout;
use crate::store::postgres::differential::model::Model;
use crate::store::postgres::differential::rows::Rows;
use crate::store::postgres::differential::server::Server;
use crate::time::Timestamp;

/// The bucket that is asked where there is but one.
pub(super) const KEY: &str = "a";

pub(super) struct Comparison {
    pub(super) server: Server,
    pub(super) model: Model,
    /// How the rows are laid that the test writes.
    pub(super) layout: Layout,
    /// How many runs the function decided, and how many it left.
    pub(super) decided: u64,
    pub(super) undecided: u64,
    /// What was asked and expected up to now, where somebody will read it.
    pub(super) told: Option<String>,
}

impl Comparison {
    pub(super) fn new() -> Self {
        let (server, model) = (Server::new(), Model::default());
        Self { server, model, layout: Layout::PLAIN, decided: 0, undecided: 0, told: None }
    }

    /// Leaves nothing of what was before.
    pub(super) fn begin(&mut self) {
        self.server.begin();
        self.model = Model::default();
        self.told = self.told.take().map(|_| String::new());
    }

    /// The answers to runs of different buckets in one call, if both sides say the same and have the same afterwards.
    pub(super) fn submit(&mut self, clock: u64, runs: &[Run<'_>]) -> Result<Vec<(&'static str, Vec<Answer>)>, String> {
        let now = Timestamp::from_micros(clock);
        let mut runs: Vec<&Run<'_>> = runs.iter().collect();
        runs.sort_by_key(|run| crate::store::postgres::id::Id::of(run.key));
        let runs: Vec<Run<'_>> = runs.into_iter().cloned().collect();
        let before: Vec<Option<Rows>> = runs.iter().map(|run| self.server.rows(run.key)).collect();
        let decided = self.server.decide(clock, &runs);
        let mut answers = Vec::new();
        for ((run, (decided, rows)), before) in runs.iter().zip(decided).zip(before) {
            let is_out_of_the_ordinary = self.model.is_out_of_the_ordinary(run.key, run.quota, now);
            let expected = self.model.decide(run, now);
            if let Some(told) = &mut self.told {
                let _ = writeln!(told, "{clock} {run:?}\n -> {expected:?}");
            }
            let is_undecided = decided.contains(&UNDECIDED);
            if is_undecided != is_out_of_the_ordinary {
                return Err(self.difference(&format!("{run:?} is undecided: {is_undecided}, {before:?}")));
            }
            if is_undecided {
                self.undecided += 1;
                if decided.iter().any(|answer| *answer != UNDECIDED) || rows != before {
                    return Err(self.difference(&format!("something was done: {decided:?}, {before:?}, {rows:?}")));
                }
                self.save(run.key);
            } else {
                self.decided += 1;
                if decided != expected {
                    return Err(self.difference(&format!("expected {expected:?}\nand not {decided:?}, of {before:?}")));
                }
                if decided.iter().all(|answer| answer[1] == 0) && rows != before {
                    return Err(self.difference(&format!("a denial has left a trace: {before:?}, {rows:?}")));
                }
                self.check(run.key, now, rows.as_ref())?;
            }
            answers.push((run.key, expected));
        }
        Ok(answers)
    }

    /// One request that is alone, on the one bucket.
    pub(super) fn acquire(&mut self, clock: u64, quota: &Quota, weight: u64) -> Answer {
        let entries = vec![Entry::one(weight)];
        self.submit(clock, &[Run { key: KEY, quota, entries }]).unwrap()[0].1[0]
    }

    /// What is no matter of the function: decided by the library, and written down.
    pub(super) fn apply(&mut self, clock: u64, operation: &Operation<'_>) -> Outcome {
        let outcome = self.model.apply(operation, Timestamp::from_micros(clock));
        if let Some(told) = &mut self.told {
            let _ = writeln!(told, "{clock} {operation:?}\n -> {outcome:?}");
        }
        self.save(operation.key);
        outcome
    }

    /// Writes a bucket as the library has it.
    pub(super) fn save(&mut self, key: &str) {
        if let Some(bucket) = self.model.bucket(key) {
            let rows = self.layout.rows(bucket);
            rows.check().unwrap();
            self.server.save(key, &rows);
        }
    }

    /// Whether the rows are those of the bucket that the library has.
    fn check(&self, key: &str, now: Timestamp, rows: Option<&Rows>) -> Result<(), String> {
        let (rows, expected) = match (rows, self.model.bucket(key)) {
            (None, None) => return Ok(()),
            (Some(rows), Some(expected)) => (rows, expected),
            (rows, expected) => {
                return Err(self.difference(&format!("one has a bucket: {rows:?}, {expected:?}")));
            }
        };
        rows.check().map_err(|wrong| self.difference(&wrong))?;
        let stored = rows.state().map_err(|error| self.difference(&format!("{error}: {rows:?}")))?;
        let (is, should_be) = (comparable(&stored, now), comparable(expected, now));
        if is != should_be || rows.idle_from != expected.idle_from().as_micros() {
            let idle_from = expected.idle_from();
            return Err(self.difference(&format!("{is:?}\nand not {should_be:?}\nidle from {idle_from} and {rows:?}")));
        }
        Ok(())
    }

    fn difference(&self, what: &str) -> String {
        format!("{}{what}", self.told.as_deref().unwrap_or_default())
    }
}

/// The numbers of a bucket, of its log what may still matter: units of one tick are one event or several, and what has left
/// every window is kept for a while or not.
pub(super) fn comparable(bucket: &BucketState, now: Timestamp) -> (Vec<u64>, Vec<(u64, u64)>) {
    let Numbers { head, events, .. } = bucket.to_numbers();
    let retention = bucket.quota().retention().max(head[1]);
    let gone = |tick: u64| tick.saturating_add(retention) < now.as_micros().max(head[4]);
    let before = events.iter().filter(|(tick, _)| gone(*tick)).map(|(_, total)| *total).next_back().unwrap_or_default();
    let mut kept: Vec<(u64, u64)> = Vec::new();
    for (tick, total) in events.into_iter().filter(|(tick, _)| !gone(*tick)) {
        match kept.last_mut() {
            Some(last) if last.0 == tick => last.1 = total - before,
            _ => kept.push((tick, total - before)),
        }
    }
    (head, kept)
}
