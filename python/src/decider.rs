//! Who decides for one bucket: its state, its line and the names of those who took from it, together.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use scupper::{Algorithm, Bucket, Decision, Error, ErrorKind, Limiter, Quota, Rate, Rates, Result, Timestamp};

use crate::clock::MonotonicTimer;
use crate::labels::{Label, Labels, Left};
use crate::millis::{Tick, rounded_down, rounded_up};
use crate::quota::{has_log, windows_of};
use crate::store::{OneBucket, Put, State};
use crate::turn::{Granted, Turn, wait_for};

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

pub(crate) struct Decider {
    store: OneBucket,
    inside: Mutex<Inside>,
}

/// Locked by threads that have the interpreter, and never while Python code runs.
struct Inside {
    quota: Quota,
    limiter: Limiter,
    bucket: Bucket,
    labels: Labels,
    denial: Option<Denial>,
    has_log: bool,
    is_closed: bool,
}

impl Decider {
    pub(crate) fn new(quota: Quota) -> Result<Self> {
        let store = OneBucket::new(&quota);
        Self::over(store, quota)
    }

    /// One that goes on from this state.
    pub(crate) fn restored(quota: Quota, state: &State, labels: Vec<Label>, denial: Option<Denial>) -> Result<Self> {
        let decider = Self::over(OneBucket::restored(state)?, quota)?;
        let mut inside = decider.inside();
        inside.denial = denial;
        inside.labels.restore(labels);
        drop(inside);
        Ok(decider)
    }

    fn over(store: OneBucket, quota: Quota) -> Result<Self> {
        let (limiter, bucket) = open(&quota, &store)?;
        let labels = Labels::new(windows_of(&quota));
        let has_log = has_log(&quota);
        let inside = Inside { quota, limiter, bucket, labels, denial: None, has_log, is_closed: false };
        Ok(Self { store, inside: Mutex::new(inside) })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides now, behind those who wait.
    #[inline]
    pub(crate) fn decide(&self, name: Borrowed<'_, '_, PyAny>, weight: u64) -> Result<Answer> {
        let mut inside = self.inside();
        let Inside { bucket, labels, denial, has_log, .. } = &mut *inside;
        let decision = match weight {
            1 => bucket.try_acquire()?,
            2..=Rate::MAX_LIMIT => bucket.request().weight(weight).try_acquire()?,
            _ => return Ok(self.never_fits(&mut inside, weight)),
        };
        match decision {
            Decision::Admitted(permit) => {
                *denial = None;
                if *has_log {
                    let left = labels.push(label(name.to_owned().unbind(), weight, Granted::from(&permit)));
                    drop(permit);
                    drop(inside);
                    drop(left);
                }
                Ok(Answer::Admitted)
            }
            Decision::Denied(denied) => {
                let retry_at_ms = rounded_up(MonotonicTimer::shared().read() + denied.retry_after());
                let quota = &inside.quota;
                let binding = || quota.rates().iter().position(|rate| Some(*rate) == denied.binding_rate());
                let rate = self.store.first_misfit(quota, weight).or_else(binding).unwrap_or_default();
                inside.denial = Some(Denial { weight, rate, retry_at_ms });
                Ok(Answer::Denied)
            }
            Decision::NeverFits(_) => Ok(self.never_fits(&mut inside, weight)),
        }
    }

    #[cold]
    fn never_fits(&self, inside: &mut Inside, weight: u64) -> Answer {
        let rate = self.store.first_misfit(&inside.quota, weight).unwrap_or_default();
        inside.denial = Some(Denial { weight, rate, retry_at_ms: -1 });
        Answer::NeverFits
    }

    /// Decides at a time of the caller's, in no line.
    pub(crate) fn put(&self, name: Py<PyAny>, tick: Tick, weight: u64) -> Result<Option<Denial>> {
        let mut inside = self.inside();
        // What is heavier than any limit is as heavy as that to every rate.
        let put = self.store.put(&inside.quota, weight.min(Rate::MAX_LIMIT), tick.at)?;
        inside.denial = match put {
            Put::Admitted { sequence } => {
                note(inside, Label { name, tick_ms: tick.millis, weight, sequence });
                return Ok(None);
            }
            Put::Denied { rate, retry_at } => {
                Some(Denial { weight, rate, retry_at_ms: retry_at.map_or(-1, rounded_up) })
            }
        };
        Ok(inside.denial)
    }

    /// A place in line, from when it is first polled.
    pub(crate) fn turn(&self, weight: u64, limit: Option<Duration>) -> Turn {
        wait_for(self.inside().bucket.clone(), weight.min(Rate::MAX_LIMIT), limit)
    }

    /// Takes down what came of a turn; says whether the units were taken.
    pub(crate) fn settle(&self, name: Py<PyAny>, weight: u64, granted: Result<Granted>) -> Result<bool> {
        match granted {
            Ok(granted) => {
                note(self.inside(), label(name, weight, granted));
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::NeverFits) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// As after an admission.
    pub(crate) fn forget_denial(&self) {
        self.inside().denial = None;
    }

    pub(crate) fn last_denial(&self) -> Option<Denial> {
        self.inside().denial
    }

    /// Units in the log; without one, those that are owed now.
    pub(crate) fn count(&self) -> Result<u64> {
        let inside = self.inside();
        if inside.has_log {
            return Ok(inside.labels.units());
        }
        self.store.used(&inside.quota, MonotonicTimer::shared().read())
    }

    pub(crate) fn used(&self, at: Timestamp) -> Result<u64> {
        self.store.used(&self.inside().quota, at)
    }

    /// Looks at the names. No Python code may run meanwhile.
    pub(crate) fn with_labels<T>(&self, look: impl FnOnce(&Labels) -> T) -> T {
        look(&self.inside().labels)
    }

    /// The same unless somebody is at work on them.
    pub(crate) fn with_labels_at_rest<T>(&self, look: impl FnOnce(&Labels) -> T) -> Option<T> {
        self.inside.try_lock().ok().map(|inside| look(&inside.labels))
    }

    /// Gives up what has left every window by this time; says how many units that were.
    pub(crate) fn leak(&self, tick: Tick) -> u64 {
        let mut inside = self.inside();
        let left = inside.labels.leave(tick.millis);
        let units = left.units();
        if units > 0 && inside.labels.is_empty() {
            // Nothing is left that could count, whatever the time of the next one.
            self.store.forget();
        }
        drop(inside);
        drop(left);
        units
    }

    /// Forgets who took what, and no more.
    pub(crate) fn forget_names(&self) {
        let left = self.inside().labels.clear();
        drop(left);
    }

    /// Forgets all that was taken.
    pub(crate) fn flush(&self) -> Result<()> {
        self.forget_names();
        let mut inside = self.inside();
        inside.denial = None;
        let bucket = inside.bucket.clone();
        drop(inside);
        bucket.reset().map(drop)
    }

    /// Holds requests to these rates from now on, those that wait included.
    pub(crate) fn set_rates(&self, rates: impl FnOnce(Algorithm) -> PyResult<Quota>) -> PyResult<Result<()>> {
        let mut inside = self.inside();
        let quota = rates(inside.quota.algorithm())?;
        let hold_to = |rates: Rates| {
            inside.limiter.set_rates(rates)?;
            inside.limiter.bucket(OneBucket::KEY)
        };
        match hold_to(quota.rates().clone()) {
            Ok(bucket) => {
                inside.bucket = bucket;
                inside.labels.set_windows(windows_of(&quota));
                inside.quota = quota;
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    pub(crate) fn quota(&self) -> Quota {
        self.inside().quota.clone()
    }

    pub(crate) fn state(&self) -> State {
        self.store.state()
    }

    /// For each rate, when all that was admitted under GCRA will have drained.
    pub(crate) fn drained_at(&self) -> Result<Vec<Timestamp>> {
        self.store.reset_at(&self.inside().quota)
    }

    /// Lets nobody wait or acquire any more, and wakes those who do.
    pub(crate) fn close(&self) {
        let mut inside = self.inside();
        inside.is_closed = true;
        let limiter = inside.limiter.clone();
        drop(inside);
        limiter.close();
    }

    /// Lets others use it again after it was closed.
    pub(crate) fn reopen(&self) -> Result<()> {
        let mut inside = self.inside();
        if inside.is_closed {
            (inside.limiter, inside.bucket) = open(&inside.quota, &self.store)?;
            inside.is_closed = false;
        }
        Ok(())
    }
}

/// Takes down an admission, and lets go of what has to leave for it once nothing is locked.
fn note(mut inside: MutexGuard<'_, Inside>, label: Label) {
    inside.denial = None;
    let left = if inside.has_log { inside.labels.push(label) } else { Left::of(label) };
    drop(inside);
    drop(left);
}

fn open(quota: &Quota, store: &OneBucket) -> Result<(Limiter, Bucket), Error> {
    let limiter = Limiter::builder()
        .quota(quota)
        .single_bucket(OneBucket::KEY)
        .store(store.clone())
        .timer(MonotonicTimer::shared().clone())
        // As many as there are threads and tasks, which cost more than their places in line.
        .max_waiting(usize::MAX)
        .build()?;
    let bucket = limiter.bucket(OneBucket::KEY)?;
    Ok((limiter, bucket))
}

fn label(name: Py<PyAny>, weight: u64, granted: Granted) -> Label {
    Label { name, tick_ms: rounded_down(granted.tick), weight, sequence: granted.sequence }
}
