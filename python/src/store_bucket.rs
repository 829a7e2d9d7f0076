//! Buckets in a store, as Python sees them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use pyo3::prelude::*;

use crate::argument::Usual;
use crate::course::Course;
use crate::errors::raised;
use crate::judged::Taken;
use crate::kept::Answer;
use crate::millis::{Tick, rounded_down};
use crate::on_store::{OnStore, Ruled};
use crate::options::{Options, Outage};
use crate::place::Place;
use crate::quota::{Numbers, algorithm_of, quota_of};
use crate::stores::Opened;
use crate::waiter::Waiter;

/// The weight of a request, the place of the rate in its way, and when it has room, in milliseconds; -1 for never.
type DenialNumbers = (u64, usize, i64);

/// One bucket in a store, or one for each name.
///
/// Each method that may have to wait for the store has a form for tasks, whose answer is to be awaited.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct StoreBucket {
    pub(crate) on: OnStore,
    is_plain: AtomicBool,
    /// Whether a decision takes about as long as to let others have the interpreter.
    pub(crate) is_quick: bool,
    pub(crate) is_in_memory: bool,
}

impl StoreBucket {
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain.load(Ordering::Relaxed)
    }

    pub(crate) fn reopen(&self) -> PyResult<()> {
        self.on.reopen().map_err(|error| raised(&error))
    }

    /// Decides now, behind those who wait: only in the memory of this process.
    pub(crate) fn decide(&self, name: Borrowed<'_, '_, PyAny>, weight: u64) -> PyResult<Answer> {
        let key = self.on.place.key(&name)?;
        let ruled = self.on.decide_in_memory(&key, weight).map_err(|error| raised(&error))?;
        Ok(match ruled {
            Ruled::Admitted(_) => Answer::Admitted,
            Ruled::Denied { wait_ms, .. } if wait_ms < 0 => Answer::NeverFits,
            Ruled::Denied { .. } => Answer::Denied,
        })
    }

    /// Goes as far as it can now.
    pub(crate) fn begin(
        slf: &Py<Self>,
        py: Python<'_>,
        name: Borrowed<'_, '_, PyAny>,
        usual: &Usual,
    ) -> PyResult<Course> {
        let bucket = slf.get();
        let key = bucket.on.place.key(&name)?;
        let weight = usual.weight;
        let mut asked = bucket.on.ask(&key, weight, None, usual.patience);
        let mut step = || asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        match if bucket.is_quick { step() } else { py.detach(step) } {
            Poll::Ready(ruled) => {
                let ruled = ruled.map_err(|error| raised(&error))?;
                Ok(Course::Decided(bucket.on.note(weight, ruled)))
            }
            Poll::Pending => Ok(Course::Waits(Self::noting(slf, py, asked, weight))),
        }
    }
}

#[pymethods]
impl StoreBucket {
    /// Buckets in the store that the URL names, held to `rates` as those of `MemoryBucket`. With a `key` all requests are counted in
    /// that bucket, and names are labels; without, each name has its own, whose key is `prefix` and the name.
    #[new]
    #[pyo3(signature = (
        url, rates, algorithm, key, prefix = "", outage = None, call_timeout = None, max_waiting = None, denial_cache = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is an option of the limiter")]
    fn new(
        py: Python<'_>,
        url: &str,
        rates: Vec<Numbers>,
        algorithm: &str,
        key: Option<String>,
        prefix: &str,
        outage: Option<Outage>,
        call_timeout: Option<f64>,
        max_waiting: Option<usize>,
        denial_cache: Option<f64>,
    ) -> PyResult<Self> {
        let quota = quota_of(rates, algorithm_of(algorithm)?)?;
        let options = Options::read(outage, &quota, call_timeout, max_waiting, denial_cache)?;
        let place = key.map_or_else(|| Place::PerName(prefix.to_owned()), Place::One);
        let opened = Opened::at(py, url).map_err(|error| raised(&error))?;
        let (is_quick, is_in_memory) = (opened.is_quick, opened.memory.is_some());
        let on = OnStore::new(opened, quota, place, options).map_err(|error| raised(&error))?;
        Ok(Self { on, is_plain: AtomicBool::new(true), is_quick, is_in_memory })
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

    /// What the last request was denied for. None if it was admitted.
    fn last_denial(&self) -> Option<DenialNumbers> {
        self.on.denial().map(|denial| (denial.weight, denial.rate, denial.retry_at_ms))
    }

    /// Milliseconds on the store's clock, as far as it is known without asking.
    fn now(&self) -> i64 {
        rounded_down(self.on.now())
    }

    /// Holds requests to these rates from now on, those that wait included. What was taken still counts.
    fn set_rates(&self, rates: Vec<Numbers>) -> PyResult<()> {
        let quota = quota_of(rates, self.on.quota().algorithm())?;
        self.on.set_rates(quota.rates().clone()).map_err(|error| raised(&error))
    }

    /// Lets nobody wait or acquire any more, and wakes those who do: they raise `RuntimeError`.
    fn close(&self) {
        self.on.close();
    }

    /// Makes a child after a fork begin with memory of its own.
    fn begin_anew(&self) -> PyResult<()> {
        self.on.begin_anew().map_err(|error| raised(&error))
    }

    /// Takes units, at a time of the caller's if there is one. None if they were taken; else the place of the rate that has no room,
    /// and how many milliseconds to wait: -1 for ever.
    fn put(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>, at: Option<Tick>, weight: i64) -> PyResult<Py<PyAny>> {
        Self::putting(slf, name, at, weight)?.here(slf.py())
    }

    fn put_async(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>, at: Option<Tick>, weight: i64) -> PyResult<Waiter> {
        Self::putting(slf, name, at, weight).map(Waiter::new)
    }

    /// Waits until the units are taken, for `timeout` seconds at the most; says whether they were.
    #[pyo3(signature = (name, weight, timeout = None))]
    fn wait(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>, weight: u64, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        Self::waiting(slf, name, weight, timeout)?.here(slf.py())
    }

    #[pyo3(signature = (name, weight, timeout = None))]
    fn wait_async(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        weight: u64,
        timeout: Option<f64>,
    ) -> PyResult<Waiter> {
        Self::waiting(slf, name, weight, timeout).map(Waiter::new)
    }

    /// Decides now, and tells all there is to tell.
    fn decide_fully(&self, py: Python<'_>, name: &Bound<'_, PyAny>, weight: u64) -> PyResult<Py<PyAny>> {
        self.deciding(name, weight)?.here(py)
    }

    fn decide_fully_async(&self, name: &Bound<'_, PyAny>, weight: u64) -> PyResult<Waiter> {
        self.deciding(name, weight).map(Waiter::new)
    }

    /// How the bucket is now: for how long it is held, and of each rate the units in use, those left, and when none is in use.
    fn usage(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.looking(name)?.here(py)
    }

    fn usage_async(&self, name: &Bound<'_, PyAny>) -> PyResult<Waiter> {
        self.looking(name).map(Waiter::new)
    }

    /// Gives back what a decision took; says how many units that still made a difference.
    fn refund(&self, py: Python<'_>, taken: Taken) -> PyResult<Py<PyAny>> {
        self.refunding(taken).here(py)
    }

    fn refund_async(&self, taken: Taken) -> Waiter {
        Waiter::new(self.refunding(taken))
    }

    /// Waits until the units are taken, and gives what was; None if they cannot be had in time.
    #[pyo3(signature = (name, weight, timeout = None))]
    fn reserve(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        weight: u64,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        self.reserving(name, weight, timeout)?.here(py)
    }

    #[pyo3(signature = (name, weight, timeout = None))]
    fn reserve_async(&self, name: &Bound<'_, PyAny>, weight: u64, timeout: Option<f64>) -> PyResult<Waiter> {
        self.reserving(name, weight, timeout).map(Waiter::new)
    }

    /// Keeps so many units of what was taken; says how many were given back.
    fn settle(&self, py: Python<'_>, taken: Taken, units: u64) -> PyResult<Py<PyAny>> {
        self.settling(taken, units).here(py)
    }

    fn settle_async(&self, taken: Taken, units: u64) -> Waiter {
        Waiter::new(self.settling(taken, units))
    }

    /// Takes units whether or not there is room.
    fn penalize(&self, py: Python<'_>, name: &Bound<'_, PyAny>, units: u64) -> PyResult<Py<PyAny>> {
        self.penalizing(name, units)?.here(py)
    }

    fn penalize_async(&self, name: &Bound<'_, PyAny>, units: u64) -> PyResult<Waiter> {
        self.penalizing(name, units).map(Waiter::new)
    }

    /// Admits nobody for so many seconds.
    fn hold(&self, py: Python<'_>, name: &Bound<'_, PyAny>, seconds: f64) -> PyResult<Py<PyAny>> {
        self.holding(name, seconds)?.here(py)
    }

    fn hold_async(&self, name: &Bound<'_, PyAny>, seconds: f64) -> PyResult<Waiter> {
        self.holding(name, seconds).map(Waiter::new)
    }

    /// Forgets what was taken under a name; says whether there was anything.
    fn reset(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.resetting(name)?.here(py)
    }

    fn reset_async(&self, name: &Bound<'_, PyAny>) -> PyResult<Waiter> {
        self.resetting(name).map(Waiter::new)
    }

    /// Units in use; where each name has its bucket, how many of them owe anything.
    fn count(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.counting().here(py)
    }

    fn count_async(&self) -> Waiter {
        Waiter::new(self.counting())
    }

    /// Forgets all that was taken.
    fn flush(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.flushing().here(py)
    }

    fn flush_async(&self) -> Waiter {
        Waiter::new(self.flushing())
    }
}
