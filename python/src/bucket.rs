//! A bucket in memory, as Python sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat};
use scupper::store::BucketState;
use scupper::{Algorithm, Decision, ErrorKind, Limiter, Quota, Rate, Rates, Timestamp};

use crate::bell;
use crate::clock::MonotonicTimer;
use crate::errors::raised;
use crate::labels::{Bounds, Label, Labels};
use crate::store::{OneBucket, Put};
use crate::turn::{Granted, wait_for};
use crate::waiter::Waiter;

/// A rate: its limit, its interval in milliseconds, its burst.
type Numbers = (u64, u64, u64);

/// A label: its name, its time in milliseconds, its weight.
type Item = (Py<PyAny>, i64, u64);

/// A denial: the weight of the request, the place of the rate, the time to come back in milliseconds, or -1 for never.
type Denial = (u64, usize, i64);

/// A bucket as plain objects: its algorithm, rates, state, labels with their sequence, last denial, and whether it is plain.
type Dump<'py> = (String, Vec<Numbers>, Bound<'py, PyBytes>, Vec<(Item, u64)>, Option<Denial>, bool);

/// One bucket in the memory of this process, with its clock, its line and the names of those who took from it.
///
/// Times are milliseconds on the clock of `time.monotonic`, or of whoever brings his own to `put`.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct MemoryBucket {
    store: OneBucket,
    inside: Mutex<Inside>,
    is_plain: AtomicBool,
}

/// Locked by threads that have the interpreter, and never while Python code runs.
struct Inside {
    quota: Quota,
    limiter: Limiter,
    handle: scupper::Bucket,
    labels: Labels,
    denial: Option<Denial>,
    is_closed: bool,
}

/// The answer to a request that does not wait.
pub(crate) enum Answer {
    Admitted,
    Denied,
    NeverFits,
}

impl MemoryBucket {
    fn of(quota: Quota, store: OneBucket) -> PyResult<Self> {
        let (limiter, handle) = open(&quota, &store)?;
        let labels = Labels::new(bounds(&quota));
        let inside = Inside { quota, limiter, handle, labels, denial: None, is_closed: false };
        Ok(Self { store, inside: Mutex::new(inside), is_plain: AtomicBool::new(true) })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain.load(Ordering::Relaxed)
    }

    /// Decides now, behind those who wait.
    #[inline]
    pub(crate) fn decide(&self, name: Borrowed<'_, '_, PyAny>, weight: u64) -> PyResult<Answer> {
        let mut inside = self.inside();
        let Inside { handle, labels, denial, .. } = &mut *inside;
        let decision = match weight {
            1 => handle.try_acquire(),
            2..=Rate::MAX_LIMIT => handle.request().weight(weight).try_acquire(),
            _ => return Ok(Answer::NeverFits),
        };
        match decision {
            Ok(Decision::Admitted(permit)) => {
                *denial = None;
                let left = labels.push(label(name.to_owned().unbind(), weight, Granted::from(&permit)));
                drop(permit);
                drop(inside);
                drop(left);
                Ok(Answer::Admitted)
            }
            Ok(Decision::Denied(denied)) => {
                let binding = denied.binding_rate();
                let retry_at = MonotonicTimer::shared().read() + denied.retry_after();
                let place = binding.and_then(|binding| inside.quota.rates().iter().position(|rate| *rate == binding));
                let rate = self.store.first_misfit(&inside.quota, weight).or(place).unwrap_or_default();
                inside.denial = Some((weight, rate, ms_up(retry_at)));
                Ok(Answer::Denied)
            }
            Ok(Decision::NeverFits(_)) => {
                let rate = self.store.first_misfit(&inside.quota, weight).unwrap_or_default();
                inside.denial = Some((weight, rate, -1));
                Ok(Answer::NeverFits)
            }
            Err(error) => Err(raised(&error)),
        }
    }

    /// Blocks the calling thread until it is admitted, or cannot be in time.
    pub(crate) fn wait_here(
        &self,
        py: Python<'_>,
        name: Py<PyAny>,
        weight: u64,
        limit: Option<Duration>,
    ) -> PyResult<bool> {
        let turn = wait_for(self.inside().handle.clone(), weight, limit);
        let granted = bell::wait(py, turn)?;
        self.settle(py, name, weight, granted)
    }

    /// The same in the event loop that runs: an answer, or what to await.
    pub(crate) fn wait_in_loop<'py>(
        slf: &Py<Self>,
        name: Py<PyAny>,
        weight: u64,
        limit: Option<Duration>,
        event_loop: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = event_loop.py();
        let turn = wait_for(slf.get().inside().handle.clone(), weight, limit);
        let waiter = Waiter::new(slf.clone_ref(py), name, weight, turn, event_loop.unbind())?;
        match waiter.look(py)? {
            Some(is_admitted) => Ok(is_admitted.into_pyobject(py)?.to_owned().into_any()),
            None => Ok(Bound::new(py, waiter)?.into_any()),
        }
    }

    /// Takes down what came of a wait; says whether the units were taken.
    pub(crate) fn settle(
        &self,
        _py: Python<'_>,
        name: Py<PyAny>,
        weight: u64,
        granted: scupper::Result<Granted>,
    ) -> PyResult<bool> {
        match granted {
            Ok(granted) => {
                let mut inside = self.inside();
                inside.denial = None;
                let left = inside.labels.push(label(name, weight, granted));
                drop(inside);
                drop(left);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::NeverFits) => Ok(false),
            Err(error) => Err(raised(&error)),
        }
    }

    /// Lets limiters use it again after it was closed.
    pub(crate) fn reopen(&self) -> PyResult<()> {
        let mut inside = self.inside();
        if inside.is_closed {
            (inside.limiter, inside.handle) = open(&inside.quota, &self.store)?;
            inside.is_closed = false;
        }
        Ok(())
    }
}

#[pymethods]
impl MemoryBucket {
    /// An empty bucket. `rates` are tuples of limit, interval in milliseconds and burst, in order of their interval; `algorithm` is
    /// "sliding_window_log", "fixed_window" or "gcra", the only one that reads the burst.
    #[new]
    fn new(rates: Vec<Numbers>, algorithm: &str) -> PyResult<Self> {
        let quota = quota(rates, algorithm_of(algorithm)?)?;
        let store = OneBucket::new(&quota);
        Self::of(quota, store)
    }

    /// Whether a limiter may decide by this bucket alone, with nobody's code asked in between.
    #[getter(is_plain)]
    fn get_is_plain(&self) -> bool {
        self.is_plain()
    }

    #[setter(is_plain)]
    fn set_is_plain(&self, is_plain: bool) {
        self.is_plain.store(is_plain, Ordering::Relaxed);
    }

    /// Takes units at a time of the caller's, in no line. None if they were taken; else the place of the first rate that has no
    /// room, and when all of them have, in milliseconds: -1 for never.
    fn put(
        &self,
        name: Py<PyAny>,
        #[pyo3(from_py_with = ticks)] timestamp_ms: (i64, Timestamp),
        weight: i64,
    ) -> PyResult<Option<(usize, i64)>> {
        let (tick_ms, at) = timestamp_ms;
        let Ok(weight) = u64::try_from(weight) else {
            return Err(PyValueError::new_err(format!("item's weight is {weight}; it must be >= 0")));
        };
        if weight == 0 {
            return Ok(None);
        }
        let mut inside = self.inside();
        let put = self.store.put(&inside.quota, weight.min(Rate::MAX_LIMIT), at).map_err(|error| raised(&error))?;
        match put {
            Put::Admitted { sequence } => {
                inside.denial = None;
                let left = inside.labels.push(Label { name, tick_ms, weight, sequence });
                drop(inside);
                drop(left);
                Ok(None)
            }
            Put::Denied { rate, retry_at } => {
                let denied = (rate, retry_at.map_or(-1, ms_up));
                inside.denial = Some((weight, denied.0, denied.1));
                Ok(Some(denied))
            }
        }
    }

    /// Decides now, by the bucket's own clock.
    fn try_now(&self, name: &Bound<'_, PyAny>, weight: u64) -> PyResult<bool> {
        if weight == 0 {
            return Ok(true);
        }
        self.decide(name.as_borrowed(), weight).map(|answer| matches!(answer, Answer::Admitted))
    }

    /// What the last request was denied for: its weight, the place of the rate and the time to come back, as for `put`. None if it was
    /// admitted.
    fn last_denial(&self) -> Option<Denial> {
        self.inside().denial
    }

    /// The name, time and weight of the request that took the unit so many before the newest; None where there are not so many.
    fn peek(&self, py: Python<'_>, index: i64) -> Option<Item> {
        let index = u64::try_from(index).ok()?;
        self.inside().labels.nth_newest(index).map(|label| item(py, label))
    }

    /// Units in the log that were not given up yet; with "gcra" those that are owed now.
    fn count(&self) -> PyResult<u64> {
        let inside = self.inside();
        if inside.quota.algorithm() != Algorithm::Gcra {
            return Ok(inside.labels.units());
        }
        self.store.used(&inside.quota, MonotonicTimer::shared().read()).map_err(|error| raised(&error))
    }

    /// Units that are owed at this time.
    fn used(&self, #[pyo3(from_py_with = ticks)] timestamp_ms: (i64, Timestamp)) -> PyResult<u64> {
        self.store.used(&self.inside().quota, timestamp_ms.1).map_err(|error| raised(&error))
    }

    /// Name, time and weight of each request in the log, the oldest first.
    fn items(&self, py: Python<'_>) -> Vec<Item> {
        self.inside().labels.iter().map(|label| item(py, label)).collect()
    }

    /// Gives up what has left every window by this time; says how many units that were.
    fn leak(&self, #[pyo3(from_py_with = ticks)] timestamp_ms: (i64, Timestamp)) -> u64 {
        let mut inside = self.inside();
        let left = inside.labels.leave(timestamp_ms.0);
        let units = left.units();
        if units > 0 && inside.labels.is_empty() {
            // Nothing is left that could count, whatever the time of the next one.
            self.store.forget();
        }
        drop(inside);
        drop(left);
        units
    }

    /// Forgets all that was taken.
    fn flush(&self) -> PyResult<()> {
        let mut inside = self.inside();
        inside.denial = None;
        let left = inside.labels.clear();
        let handle = inside.handle.clone();
        drop(inside);
        drop(left);
        match handle.reset() {
            Ok(_) => Ok(()),
            Err(error) => Err(raised(&error)),
        }
    }

    /// Holds requests to these rates from now on, those that wait included. What was taken still counts.
    fn set_rates(&self, rates: Vec<Numbers>) -> PyResult<()> {
        let mut inside = self.inside();
        let quota = quota(rates, inside.quota.algorithm())?;
        let limiter = inside.limiter.clone();
        limiter.set_rates(quota.rates().clone()).map_err(|error| raised(&error))?;
        inside.handle = limiter.bucket(OneBucket::KEY).map_err(|error| raised(&error))?;
        inside.labels.set_bounds(bounds(&quota));
        inside.quota = quota;
        Ok(())
    }

    /// Milliseconds on the bucket's own clock, which is that of `time.monotonic`.
    #[expect(clippy::unused_self, reason = "the clock is the bucket's to whoever asks it")]
    fn now(&self) -> i64 {
        ms_down(MonotonicTimer::shared().read())
    }

    /// Lets nobody wait or acquire any more, and wakes those who do: they raise `RuntimeError`.
    fn close(&self) {
        let mut inside = self.inside();
        inside.is_closed = true;
        let limiter = inside.limiter.clone();
        drop(inside);
        limiter.close();
    }

    /// Waits until the units are taken, for `timeout` seconds at the most; says whether they were.
    #[pyo3(signature = (name, weight, timeout = None))]
    fn wait(&self, py: Python<'_>, name: Py<PyAny>, weight: u64, timeout: Option<f64>) -> PyResult<bool> {
        if weight == 0 {
            return Ok(true);
        }
        self.wait_here(py, name, weight.min(Rate::MAX_LIMIT), limit(timeout)?)
    }

    /// The same for a task of this event loop: True or False if that is known at once, else what to await for it.
    fn wait_async<'py>(
        slf: Py<Self>,
        name: Py<PyAny>,
        weight: u64,
        timeout: Option<f64>,
        event_loop: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if weight == 0 {
            return Ok(true.into_pyobject(event_loop.py())?.to_owned().into_any());
        }
        Self::wait_in_loop(&slf, name, weight.min(Rate::MAX_LIMIT), limit(timeout)?, event_loop)
    }

    /// The bucket as plain objects, for `load`.
    fn dump<'py>(&self, py: Python<'py>) -> Dump<'py> {
        let inside = self.inside();
        let rates = inside.quota.rates().iter().map(numbers).collect();
        let labels = inside.labels.iter().map(|label| (item(py, label), label.sequence)).collect();
        let state = PyBytes::new(py, &self.store.to_bytes());
        (name_of(inside.quota.algorithm()), rates, state, labels, inside.denial, self.is_plain())
    }

    /// The bucket that `dump` gave, apart from the one that it was.
    #[staticmethod]
    fn load(state: Dump<'_>) -> PyResult<Self> {
        let (algorithm, rates, bytes, labels, denial, is_plain) = state;
        let quota = quota(rates, algorithm_of(&algorithm)?)?;
        let kept = BucketState::from_bytes(bytes.as_bytes()).map_err(|error| raised(&error))?;
        let bucket = Self::of(quota, OneBucket::of(kept))?;
        let mut inside = bucket.inside();
        inside.denial = denial;
        for ((name, tick_ms, weight), sequence) in labels {
            // As many as there were, so that none has to leave.
            let _none = inside.labels.push(Label { name, tick_ms, weight, sequence });
        }
        drop(inside);
        bucket.set_is_plain(is_plain);
        Ok(bucket)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Dump<'py>,))> {
        Ok((slf.get_type().getattr(pyo3::intern!(slf.py(), "load"))?, (slf.get().dump(slf.py()),)))
    }
}

fn open(quota: &Quota, store: &OneBucket) -> PyResult<(Limiter, scupper::Bucket)> {
    let open = || {
        let limiter = Limiter::builder()
            .quota(quota)
            .single_bucket(OneBucket::KEY)
            .store(store.clone())
            .timer(MonotonicTimer::shared().clone())
            // As many as there are threads and tasks, which cost more than their places in line.
            .max_waiting(usize::MAX)
            .build()?;
        let handle = limiter.bucket(OneBucket::KEY)?;
        Ok((limiter, handle))
    };
    open().map_err(|error: scupper::Error| raised(&error))
}

fn quota(rates: Vec<Numbers>, algorithm: Algorithm) -> PyResult<Quota> {
    let rate = |(limit, interval_ms, burst): Numbers| {
        let rate = Rate::new(limit, Duration::from_millis(interval_ms))?;
        if algorithm == Algorithm::Gcra { rate.with_burst(burst) } else { Ok(rate) }
    };
    let rates: scupper::Result<Vec<Rate>> = rates.into_iter().map(rate).collect();
    rates.and_then(Rates::new).and_then(|rates| Quota::new(algorithm, rates)).map_err(|error| raised(&error))
}

fn numbers(rate: &Rate) -> Numbers {
    let interval_ms = u64::try_from(rate.interval().as_millis()).unwrap_or(u64::MAX);
    (rate.limit(), interval_ms, rate.burst())
}

fn algorithm_of(name: &str) -> PyResult<Algorithm> {
    Algorithm::ALL.into_iter().find(|algorithm| name_of(*algorithm) == name).ok_or_else(|| {
        PyValueError::new_err(format!("{name:?} is no algorithm; there are sliding_window_log, fixed_window and gcra"))
    })
}

fn name_of(algorithm: Algorithm) -> String {
    algorithm.to_string().replace('-', "_")
}

/// What is kept of names: nothing under GCRA, which has no log.
fn bounds(quota: &Quota) -> Bounds {
    let rates = quota.rates();
    let has_log = quota.algorithm() != Algorithm::Gcra;
    let most = rates.iter().map(Rate::limit).max().unwrap_or_default();
    let millis = |rate: &Rate| i64::try_from(rate.interval().as_millis()).unwrap_or(i64::MAX);
    Bounds {
        units: if has_log { most } else { 0 },
        intervals_ms: rates.iter().map(millis).collect(),
        is_aligned: quota.algorithm() == Algorithm::FixedWindow,
    }
}

fn label(name: Py<PyAny>, weight: u64, granted: Granted) -> Label {
    Label { name, tick_ms: ms_down(granted.tick), weight, sequence: granted.sequence }
}

fn item(py: Python<'_>, label: &Label) -> Item {
    (label.name.clone_ref(py), label.tick_ms, label.weight)
}

fn ms_down(at: Timestamp) -> i64 {
    i64::try_from(at.as_micros() / 1_000).unwrap_or(i64::MAX)
}

/// Rounded up: who comes back then is admitted.
fn ms_up(at: Timestamp) -> i64 {
    i64::try_from(at.as_micros().div_ceil(1_000)).unwrap_or(i64::MAX)
}

fn limit(timeout: Option<f64>) -> PyResult<Option<Duration>> {
    let wrong =
        |seconds: f64| PyValueError::new_err(format!("the timeout is {seconds}; it must be a number of seconds >= 0"));
    timeout.map(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| wrong(seconds))).transpose()
}

/// A time in milliseconds, whole or not, and what it is on the bucket's clock.
fn ticks(object: &Bound<'_, PyAny>) -> PyResult<(i64, Timestamp)> {
    let wrong = || {
        PyValueError::new_err(format!(
            "the timestamp is {object}; it must be at least 0 and at most {}",
            BucketState::LATEST.as_micros() / 1_000
        ))
    };
    if object.is_instance_of::<PyFloat>() {
        let millis: f64 = object.extract()?;
        let at = Duration::try_from_secs_f64(millis / 1_000.0).map_err(|_| wrong())?;
        let at = Timestamp::from_micros(u64::try_from(at.as_micros()).map_err(|_| wrong())?);
        return if at <= BucketState::LATEST { Ok((ms_down(at), at)) } else { Err(wrong()) };
    }
    let tick_ms: i64 = object.extract()?;
    let micros = u64::try_from(tick_ms).ok().and_then(|millis| millis.checked_mul(1_000)).ok_or_else(wrong)?;
    let at = Timestamp::from_micros(micros);
    if at <= BucketState::LATEST { Ok((tick_ms, at)) } else { Err(wrong()) }
}
