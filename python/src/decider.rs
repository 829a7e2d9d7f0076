//! Who decides for one bucket: at once where nobody waits, in line where somebody does.

use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use scupper::{Algorithm, Bucket, Decision, Error, ErrorKind, Limiter, Quota, Rate, Result, Timestamp};

use crate::clock::MonotonicTimer;
use crate::judged::{Judged, Looked, Taken, admission_of, looked, permit_of, told};
use crate::kept::{Answer, Answered, Denial, KEY, Kept, State};
use crate::labels::Label;
use crate::millis::{Tick, rounded_down, rounded_up};
use crate::quota::is_countless;
use crate::store::OneBucket;
use crate::turn::{Granted, Turn, Turns};

pub(crate) struct Decider {
    bucket: OneBucket,
    turns: Turns,
    is_closed: AtomicBool,
    line: Mutex<Line>,
}

/// The way to the bucket that keeps to the order of those who wait. Locked by threads that have the interpreter, and never while
/// Python code runs.
struct Line {
    limiter: Limiter,
    handle: Bucket,
}

impl Decider {
    pub(crate) fn new(quota: Quota) -> Result<Self> {
        Self::over(Kept::new(quota))
    }

    /// One that goes on from this state.
    pub(crate) fn restored(quota: Quota, state: &State, labels: Vec<Label>, denial: Option<Denial>) -> Result<Self> {
        let mut kept = Kept::restored(state, quota)?;
        kept.denial = denial;
        kept.labels.restore(labels);
        Self::over(kept)
    }

    fn over(kept: Kept) -> Result<Self> {
        let quota = kept.quota.clone();
        let bucket = OneBucket::new(kept);
        let line = Mutex::new(Line::open(&quota, &bucket)?);
        Ok(Self { bucket, turns: Turns::default(), is_closed: AtomicBool::new(false), line })
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the bucket keeps. No Python code may run meanwhile.
    #[inline]
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.bucket.lock()
    }

    /// Whether the bucket alone decides on so many units: nobody waits, or they never fit, whoever does.
    #[inline]
    fn is_first(&self, weight: u64) -> bool {
        (self.turns.is_none() || is_countless(weight)) && !self.is_closed.load(Ordering::Relaxed)
    }

    /// Decides now, behind those who wait.
    #[inline]
    pub(crate) fn decide(&self, name: Borrowed<'_, '_, PyAny>, weight: u64) -> Result<Answer> {
        if self.is_first(weight) {
            let answered = self.bucket.lock().take(name, weight);
            return seen(answered);
        }
        self.decide_in_line(name, weight)
    }

    #[cold]
    fn decide_in_line(&self, name: Borrowed<'_, '_, PyAny>, weight: u64) -> Result<Answer> {
        let handle = self.line().handle.clone();
        match handle.request().weight(weight.min(Rate::MAX_LIMIT)).try_acquire()? {
            Decision::Admitted(permit) => {
                self.note(name.to_owned().unbind(), weight, Granted::from(&permit));
                Ok(Answer::Admitted)
            }
            Decision::Denied(denied) => {
                let retry_at = MonotonicTimer::shared().read() + denied.retry_after();
                self.kept().note_denial(weight, denied.binding_rate(), rounded_up(retry_at));
                Ok(Answer::Denied)
            }
            Decision::NeverFits(never) => {
                self.kept().note_denial(weight, Some(never.rate()), -1);
                Ok(Answer::NeverFits)
            }
        }
    }

    /// Decides now, behind those who wait, and tells all about it.
    pub(crate) fn judge(&self, name: Borrowed<'_, '_, PyAny>, weight: u64) -> Result<Judged> {
        if self.is_first(weight) {
            let judged = self.bucket.lock().judge(name, weight, MonotonicTimer::shared().read());
            return judged.map(|(judged, _left)| judged);
        }
        let handle = self.line().handle.clone();
        let detailed = handle.request().weight(weight.min(Rate::MAX_LIMIT)).detailed()?;
        if let Decision::Admitted(permit) = &detailed.decision {
            self.note(name.to_owned().unbind(), weight, Granted::from(permit));
        }
        Ok(told(&detailed.decision, &detailed.snapshot, handle.quota().rates()))
    }

    /// The same at a time of the caller's, in no line.
    pub(crate) fn judge_at(&self, name: Borrowed<'_, '_, PyAny>, weight: u64, at: Timestamp) -> Result<Judged> {
        let judged = self.kept().judge(name, weight, at);
        judged.map(|(judged, _left)| judged)
    }

    /// How the bucket is now, or at a time of the caller's.
    pub(crate) fn look(&self, at: Option<Timestamp>) -> Result<Looked> {
        let at = at.unwrap_or_else(|| MonotonicTimer::shared().read());
        self.kept().look(at).map(|snapshot| looked(&snapshot))
    }

    /// Gives back what was taken, and lets those who wait have it; says how many units of it still counted.
    pub(crate) fn give_back(&self, taken: &Taken) -> Result<u64> {
        let (permit, limiter) = (permit_of(taken)?, self.line().limiter.clone());
        let sequence = permit.sequence();
        if !self.kept().knows(sequence) {
            return Ok(0);
        }
        let units = limiter.refund(permit)?;
        let left = self.kept().forget_label(sequence, units);
        drop(left);
        Ok(units)
    }

    /// The same at a time of the caller's, in no line.
    pub(crate) fn give_back_at(&self, taken: &Taken, at: Timestamp) -> Result<u64> {
        let admission = admission_of(taken);
        let mut kept = self.kept();
        if !kept.knows(admission.sequence) {
            return Ok(0);
        }
        let given_back = kept.give_back(admission, at);
        drop(kept);
        given_back.map(|(units, _left)| units)
    }

    /// Takes units whether or not there is room, now or at a time of the caller's.
    pub(crate) fn penalize(&self, name: Py<PyAny>, units: u64, at: Option<Timestamp>) -> Result<()> {
        let handle = self.line().handle.clone();
        let tick = match at {
            None => handle.penalize(units)?,
            Some(at) => self.kept().penalize(units, at)?,
        };
        let left = self.kept().note_penalty(name, units, tick);
        drop(left);
        Ok(())
    }

    /// Lets nobody pass for a while, from now or from a time of the caller's.
    pub(crate) fn hold(&self, duration: Duration, from: Option<Timestamp>) -> Result<()> {
        let handle = self.line().handle.clone();
        match from {
            None => handle.hold(duration).map(drop),
            Some(from) => self.kept().hold(duration, from),
        }
    }

    fn note(&self, name: Py<PyAny>, weight: u64, granted: Granted) {
        let tick_ms = rounded_down(granted.tick);
        let left = self.kept().note(Label { name, tick_ms, weight, sequence: granted.sequence });
        drop(left);
    }

    /// Decides at a time of the caller's, in no line.
    pub(crate) fn put(&self, name: Py<PyAny>, weight: u64, tick: Tick) -> Result<Option<Denial>> {
        let mut kept = self.kept();
        let answered = kept.put(name, weight, tick);
        let denial = kept.denial;
        drop(kept);
        seen(answered).map(|answer| denial.filter(|_| answer != Answer::Admitted))
    }

    /// A place in line, from when it is first polled.
    pub(crate) fn turn(&self, weight: u64, limit: Option<Duration>) -> Turn {
        if is_countless(weight) {
            return Box::pin(ready(Err(Error::new(ErrorKind::NeverFits, "so many units never fit"))));
        }
        let handle = self.line().handle.clone();
        self.turns.wait_for(handle, weight, limit)
    }

    /// Takes down what came of a turn; says whether the units were taken.
    pub(crate) fn settle(&self, name: Py<PyAny>, weight: u64, granted: Result<Granted>) -> Result<bool> {
        match granted {
            Ok(granted) => {
                self.note(name, weight, granted);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::NeverFits) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives up what has left every window by this time; says how many units that were.
    pub(crate) fn leak(&self, tick: Tick) -> u64 {
        let left = self.kept().leak(tick);
        left.units()
    }

    /// Forgets who took what, and no more.
    pub(crate) fn forget_names(&self) {
        let left = self.kept().labels.clear();
        drop(left);
    }

    /// Forgets all that was taken, and any hold; says whether there was anything now, or at a time of the caller's.
    pub(crate) fn reset(&self, at: Option<Timestamp>) -> Result<bool> {
        self.forget_names();
        self.kept().denial = None;
        // Before the limiter learns of it, so that those who wait find it done.
        let owed = at.map(|at| self.kept().reset(at));
        let handle = self.line().handle.clone();
        handle.reset().map(|owes| owed.unwrap_or(owes))
    }

    /// Holds requests to these rates from now on, those that wait included.
    pub(crate) fn set_rates(&self, quota: &Quota) -> Result<()> {
        let mut line = self.line();
        line.limiter.set_rates(quota.rates().clone())?;
        line.handle = line.limiter.bucket(KEY)?;
        self.kept().set_quota(quota.clone());
        Ok(())
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.kept().quota.algorithm()
    }

    /// Lets nobody acquire any more, and wakes those who wait.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        let limiter = self.line().limiter.clone();
        limiter.close();
    }

    /// Lets others use it again after it was closed.
    pub(crate) fn reopen(&self) -> Result<()> {
        if self.is_closed.load(Ordering::Relaxed) {
            let quota = self.kept().quota.clone();
            *self.line() = Line::open(&quota, &self.bucket)?;
            self.is_closed.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Line {
    fn open(quota: &Quota, bucket: &OneBucket) -> Result<Self, Error> {
        let limiter = Limiter::builder()
            .quota(quota)
            .single_bucket(KEY)
            .store(bucket.clone())
            .timer(MonotonicTimer::shared().clone())
            // As many as there are threads and tasks, which cost more than their places in line.
            .max_waiting(usize::MAX)
            .build()?;
        let handle = limiter.bucket(KEY)?;
        Ok(Self { limiter, handle })
    }
}

/// The answer alone; what left for it is dropped here, with nothing locked.
#[inline]
fn seen(answered: Answered) -> Result<Answer> {
    answered.map(|(answer, _left)| answer)
}
