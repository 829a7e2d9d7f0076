//! What is kept of a bucket: its state, its rates, and who took from it.

use std::time::Duration;

use pyo3::prelude::*;
use scupper::store::{Action, Admission, BucketState, Operation, Outcome, Reply, Verdict};
use scupper::{Error, ErrorKind, Page, Quota, Rate, Result, Snapshot, Timestamp, Usage};

use crate::clock::MonotonicTimer;
use crate::judged::{Judged, judged};
use crate::labels::{Label, Labels, Left};
use crate::millis::{Tick, rounded_down, rounded_up};
use crate::quota::{has_log, is_countless, misfit, windows_of};

/// The only key that there is.
pub(crate) const KEY: &str = "";

/// Why a request was denied last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Denial {
    pub(crate) weight: u64,
    /// The place of the first rate in the list that has no room.
    pub(crate) rate: usize,
    /// When all of them have, in milliseconds; -1 for never.
    pub(crate) retry_at_ms: i64,
}

/// The answer to a request that does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Admitted,
    Denied,
    NeverFits,
}

/// An answer, and what is to be dropped once nothing is locked.
pub(crate) type Answered = Result<(Answer, Left)>;

/// A bucket as bytes, and the microsecond in which units were taken last.
pub(crate) type State = (Vec<u8>, u64);

#[derive(Debug)]
pub(crate) struct Kept {
    state: BucketState,
    /// When units were taken last.
    latest: Timestamp,
    /// What was taken before this was forgotten.
    since: Timestamp,
    pub(crate) quota: Quota,
    has_log: bool,
    pub(crate) labels: Labels,
    pub(crate) denial: Option<Denial>,
}

impl Kept {
    pub(crate) fn new(quota: Quota) -> Self {
        let state = BucketState::new(&quota, Timestamp::ZERO);
        Self::of(state, Timestamp::ZERO, quota)
    }

    pub(crate) fn restored((bytes, latest): &State, quota: Quota) -> Result<Self> {
        Ok(Self::of(BucketState::from_bytes(bytes)?, Timestamp::from_micros(*latest), quota))
    }

    fn of(state: BucketState, latest: Timestamp, quota: Quota) -> Self {
        let labels = Labels::new(windows_of(&quota));
        Self { state, latest, since: Timestamp::ZERO, has_log: has_log(&quota), labels, denial: None, quota }
    }

    pub(crate) fn state(&self) -> State {
        (self.state.to_bytes(), self.latest.as_micros())
    }

    /// Takes units now, in no line, if they fit.
    #[inline]
    pub(crate) fn take(&mut self, name: Borrowed<'_, '_, PyAny>, weight: u64) -> Answered {
        let now = MonotonicTimer::shared().read();
        match self.acquire(weight, now)? {
            Verdict::Admitted(admission) if self.has_log => {
                let tick_ms = rounded_down(admission.tick);
                let name = name.to_owned().unbind();
                Ok((Answer::Admitted, self.note(Label { name, tick_ms, weight, sequence: admission.sequence })))
            }
            verdict => Ok((self.answer(weight, &verdict, now), Left::default())),
        }
    }

    /// The same at a time of the caller's.
    pub(crate) fn put(&mut self, name: Py<PyAny>, weight: u64, tick: Tick) -> Answered {
        match self.acquire(weight, tick.at)? {
            Verdict::Admitted(admission) => {
                let label = Label { name, tick_ms: tick.millis, weight, sequence: admission.sequence };
                Ok((Answer::Admitted, self.note(label)))
            }
            verdict => Ok((self.answer(weight, &verdict, tick.at), Left::default())),
        }
    }

    /// Takes units at this time, in no line, if they fit; tells all about it.
    pub(crate) fn judge(
        &mut self,
        name: Borrowed<'_, '_, PyAny>,
        weight: u64,
        at: Timestamp,
    ) -> Result<(Judged, Left)> {
        let verdict = self.acquire(weight, at)?;
        let left = match &verdict {
            Verdict::Admitted(admission) if self.has_log => {
                let (tick_ms, name) = (rounded_down(admission.tick), name.to_owned().unbind());
                self.note(Label { name, tick_ms, weight, sequence: admission.sequence })
            }
            verdict => {
                self.answer(weight, verdict, at);
                Left::default()
            }
        };
        Ok((judged(&verdict, &self.look(at)?), left))
    }

    /// Gives back units of a request, by the clock unless the caller brings a time; says how many of them still counted.
    pub(crate) fn give_back(&mut self, admission: Admission, at: Timestamp) -> Result<(u64, Left)> {
        match self.state.apply(&Operation::new(KEY, Action::Refund(admission)), at)? {
            Reply::Refunded(units) => Ok((units, self.forget_label(admission.sequence, units))),
            other => Err(unexpected(&other)),
        }
    }

    /// Takes units at a time of the caller's whether or not there is room; says when they were counted.
    pub(crate) fn penalize(&mut self, units: u64, at: Timestamp) -> Result<Timestamp> {
        match self.state.apply(&Operation::new(KEY, Action::Penalize { quota: &self.quota, units }), at)? {
            Reply::Penalized(tick) => {
                self.latest = tick;
                Ok(tick)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Lets nobody pass for a while from a time of the caller's.
    pub(crate) fn hold(&mut self, duration: Duration, from: Timestamp) -> Result<()> {
        self.state.apply(&Operation::new(KEY, Action::Hold { quota: &self.quota, duration }), from).map(drop)
    }

    /// Whether something of this request may still count.
    pub(crate) fn knows(&self, sequence: u64) -> bool {
        !self.has_log || self.labels.place_of(sequence).is_some()
    }

    /// Takes so many units from what is known of this request.
    pub(crate) fn forget_label(&mut self, sequence: u64, units: u64) -> Left {
        self.labels.place_of(sequence).map(|place| self.labels.take_back(place, units)).unwrap_or_default()
    }

    /// Takes down a penalty, which has no sequence of its own.
    pub(crate) fn note_penalty(&mut self, name: Py<PyAny>, weight: u64, tick: Timestamp) -> Left {
        let sequence = self.labels.last_sequence().saturating_add(weight);
        let label = Label { name, tick_ms: rounded_down(tick), weight, sequence };
        if self.has_log { self.labels.push(label) } else { Left::of(label) }
    }

    /// Takes down an admission.
    #[inline]
    pub(crate) fn note(&mut self, label: Label) -> Left {
        self.denial = None;
        if self.has_log { self.labels.push(label) } else { Left::of(label) }
    }

    fn answer(&mut self, weight: u64, verdict: &Verdict, at: Timestamp) -> Answer {
        let (answer, rate, retry_at_ms) = match verdict {
            Verdict::Admitted(_) => {
                self.denial = None;
                return Answer::Admitted;
            }
            Verdict::Denied(denial) => (Answer::Denied, denial.rate, rounded_up(denial.retry_at)),
            Verdict::NeverFits { rate } => (Answer::NeverFits, Some(*rate), -1),
        };
        let rate = self.first_misfit(weight, at).or(rate).unwrap_or_default();
        self.denial = Some(Denial { weight, rate, retry_at_ms });
        answer
    }

    /// Takes down that a request was denied without the bucket being asked.
    pub(crate) fn note_denial(&mut self, weight: u64, binding: Option<Rate>, retry_at_ms: i64) {
        let binding = self.quota.rates().iter().position(|rate| Some(*rate) == binding);
        let rate = self.first_misfit(weight, MonotonicTimer::shared().read()).or(binding).unwrap_or_default();
        self.denial = Some(Denial { weight, rate, retry_at_ms });
    }

    #[inline]
    fn acquire(&mut self, weight: u64, at: Timestamp) -> Result<Verdict> {
        if is_countless(weight) {
            return Ok(Verdict::NeverFits { rate: misfit(&self.quota, weight).unwrap_or_default() });
        }
        match self.state.apply(&Operation::acquire(KEY, &self.quota, weight), at)? {
            Reply::Acquired(verdict) => {
                if let Verdict::Admitted(admission) = &verdict {
                    self.latest = admission.tick;
                }
                Ok(verdict)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// How the bucket is at this time.
    pub(crate) fn look(&mut self, at: Timestamp) -> Result<Snapshot> {
        match self.state.apply(&Operation::new(KEY, Action::Peek { quota: &self.quota }), at)? {
            Reply::Peeked(snapshot) => Ok(snapshot),
            other => Err(unexpected(&other)),
        }
    }

    fn usage(&mut self, at: Timestamp) -> Result<Vec<Usage>> {
        self.look(at).map(|snapshot| snapshot.usage)
    }

    /// Units that count at this time, under the rate where they are most.
    pub(crate) fn used(&mut self, at: Timestamp) -> Result<u64> {
        Ok(self.usage(at)?.iter().map(|usage| usage.used).max().unwrap_or_default())
    }

    /// Units in the log; without one, those that are owed now.
    pub(crate) fn count(&mut self) -> Result<u64> {
        if self.has_log { Ok(self.labels.units()) } else { self.used(MonotonicTimer::shared().read()) }
    }

    /// For each rate, from when on nothing is in use.
    pub(crate) fn reset_at(&mut self) -> Result<Vec<Timestamp>> {
        Ok(self.usage(self.latest)?.iter().map(|usage| usage.reset_at).collect())
    }

    /// The place of the first rate in the list that has no room for so many units.
    fn first_misfit(&mut self, weight: u64, at: Timestamp) -> Option<usize> {
        if self.quota.rates().len() == 1 {
            return Some(0);
        }
        self.usage(at).ok()?.iter().position(|usage| usage.remaining < weight)
    }

    /// Gives up the names of what has left every window by this time.
    pub(crate) fn leak(&mut self, tick: Tick) -> Left {
        let left = self.labels.leave(tick.millis);
        if left.units() > 0 && self.labels.is_empty() && !self.is_held(tick.at) {
            // Nothing is left that could count, whatever the time of the next one.
            self.forget();
        }
        left
    }

    fn is_held(&mut self, at: Timestamp) -> bool {
        self.look(at).is_ok_and(|snapshot| snapshot.held_until.is_some())
    }

    /// Forgets all that was taken; says whether anything of it counts at this time, or holds the bucket.
    pub(crate) fn reset(&mut self, at: Timestamp) -> bool {
        let owed = self.state.settled_from() > at;
        self.forget();
        owed
    }

    /// A new state goes back in time with a caller who does, as one that was reset does not. What was admitted before cannot be
    /// given back any more.
    fn forget(&mut self) {
        self.since = self.since.max(Timestamp::from_micros(self.latest.as_micros() + 1));
        self.state = BucketState::new(&self.quota, self.since);
        self.latest = Timestamp::ZERO;
    }

    /// From now on under these rates. What was taken counts on; the state learns of it with the next request.
    pub(crate) fn set_quota(&mut self, quota: Quota) {
        self.labels.set_windows(windows_of(&quota));
        self.quota = quota;
    }

    /// What the limiter asks, for those in line.
    pub(crate) fn apply(&mut self, operation: &Operation<'_>) -> Outcome {
        let now = MonotonicTimer::shared().read();
        match operation.action {
            Action::List { .. } => {
                let owes = self.state.settled_from() > now;
                let keys = owes.then(|| KEY.to_owned()).into_iter().collect();
                Ok(Reply::Listed(Page { keys, next: None }))
            }
            Action::Reset => Ok(Reply::Reset(self.reset(now))),
            _ => {
                let outcome = self.state.apply(operation, now);
                if let Ok(Reply::Acquired(Verdict::Admitted(Admission { tick, .. })) | Reply::Penalized(tick)) =
                    &outcome
                {
                    self.latest = *tick;
                }
                outcome
            }
        }
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the bucket answered {reply:?}, which is no answer to this operation"))
}
