//! A bucket in memory, as Python sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use scupper::Timestamp;

use crate::argument::{Patience, Usual};
use crate::clock::MonotonicTimer;
use crate::course::{Course, truth};
use crate::decider::Decider;
use crate::dump::{self, DenialNumbers, Dump, Item, denial_to_numbers, item};
use crate::errand::Errand;
use crate::errors::raised;
use crate::judged::{Judged, Looked, Taken, rest_of};
use crate::kept::{Answer, KEY};
use crate::millis::{Tick, duration_of, limit_of, rounded_down};
use crate::quota::{Numbers, algorithm_of, quota_of};
use crate::waiter::Waiter;

/// One bucket in the memory of this process, with its clock, its line and the names of those who took from it.
///
/// Times are milliseconds on the clock of `time.monotonic`, unless `put` brings others.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct MemoryBucket {
    decider: Decider,
    is_plain: AtomicBool,
}

impl MemoryBucket {
    fn over(decider: scupper::Result<Decider>) -> PyResult<Self> {
        let decider = decider.map_err(|error| raised(&error))?;
        Ok(Self { decider, is_plain: AtomicBool::new(true) })
    }

    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain.load(Ordering::Relaxed)
    }

    /// Decides now, behind those who wait.
    #[inline]
    pub(crate) fn decide(&self, name: Borrowed<'_, '_, PyAny>, weight: u64) -> PyResult<Answer> {
        self.decider.decide(name, weight).map_err(|error| raised(&error))
    }

    /// Has a request that was denied wait its turn.
    #[cold]
    pub(crate) fn begin(slf: &Py<Self>, py: Python<'_>, name: Borrowed<'_, '_, PyAny>, usual: &Usual) -> Course {
        let name = name.to_owned().unbind();
        match usual.patience {
            Patience::Goes => Course::Decided(false),
            Patience::Waits => Course::Waits(Self::wait_for(slf, py, name, usual.weight, None)),
            Patience::WaitsFor(limit) => Course::Waits(Self::wait_for(slf, py, name, usual.weight, Some(limit))),
        }
    }

    /// Waits its turn, for so long at the most; gives whether it was admitted.
    fn wait_for(slf: &Py<Self>, py: Python<'_>, name: Py<PyAny>, weight: u64, limit: Option<Duration>) -> Errand {
        let bucket = slf.clone_ref(py);
        Errand::new(slf.get().decider.turn(weight, limit), move |py, granted| {
            let is_admitted = bucket.get().decider.settle(name, weight, granted).map_err(|error| raised(&error))?;
            Ok(truth(py, is_admitted).unbind())
        })
    }

    /// The same; gives what was taken, and None if nothing was.
    fn reserve_for(slf: &Py<Self>, py: Python<'_>, name: Py<PyAny>, weight: u64, limit: Option<Duration>) -> Errand {
        let bucket = slf.clone_ref(py);
        Errand::new(slf.get().decider.turn(weight, limit), move |py, granted| {
            let taken = granted.as_ref().ok().map(|granted| granted.taken(KEY));
            let is_admitted = bucket.get().decider.settle(name, weight, granted).map_err(|error| raised(&error))?;
            Ok(taken.filter(|_| is_admitted).into_pyobject(py)?.unbind())
        })
    }

    /// Lets limiters use it again after it was closed.
    pub(crate) fn reopen(&self) -> PyResult<()> {
        self.decider.reopen().map_err(|error| raised(&error))
    }
}

#[pymethods]
impl MemoryBucket {
    /// An empty bucket. `rates` are tuples of limit, interval in milliseconds and burst, in order of their interval; `algorithm` is
    /// `"sliding_window_log"`, `"fixed_window"` or `"gcra"`, the only one that reads the burst.
    #[new]
    fn new(rates: Vec<Numbers>, algorithm: &str) -> PyResult<Self> {
        Self::over(Decider::new(quota_of(rates, algorithm_of(algorithm)?)?))
    }

    /// A name may be any object, and so one that holds a limiter of this bucket.
    ///
    /// The collector comes by twice, and takes for garbage what it finds the first time alone. So it waits for the thread that
    /// serves those in line, which does not need the interpreter to go on.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.decider.kept().labels.iter().try_for_each(|label| visit.call(&label.name))
    }

    fn __clear__(&self) {
        self.decider.forget_names();
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
    fn put(&self, name: Py<PyAny>, timestamp_ms: Tick, weight: i64) -> PyResult<Option<(usize, i64)>> {
        match u64::try_from(weight) {
            Ok(0) => {
                self.decider.kept().denial = None;
                Ok(None)
            }
            Ok(weight) => {
                let denial = self.decider.put(name, weight, timestamp_ms).map_err(|error| raised(&error))?;
                Ok(denial.map(|denial| (denial.rate, denial.retry_at_ms)))
            }
            Err(_) => Err(PyValueError::new_err(format!("item's weight is {weight}; it must be >= 0"))),
        }
    }

    /// Decides now, by the bucket's own clock.
    fn try_now(&self, name: &Bound<'_, PyAny>, weight: u64) -> PyResult<bool> {
        Ok(weight == 0 || self.decide(name.as_borrowed(), weight)? == Answer::Admitted)
    }

    /// What the last request was denied for: its weight, the place of the rate and the time to come back, as for `put`. None if it
    /// was admitted.
    fn last_denial(&self) -> Option<DenialNumbers> {
        self.decider.kept().denial.map(denial_to_numbers)
    }

    /// The name, time and weight of the request that took the unit so many before the newest; None where there are not so many.
    fn peek(&self, py: Python<'_>, index: i64) -> Option<Item> {
        let index = u64::try_from(index).ok()?;
        self.decider.kept().labels.nth_newest(index).map(|label| item(py, label))
    }

    /// Units in the log that were not given up yet; with "gcra" those that are owed now.
    fn count(&self) -> PyResult<u64> {
        let count = self.decider.kept().count();
        count.map_err(|error| raised(&error))
    }

    /// Units that are owed at this time.
    fn used(&self, timestamp_ms: Tick) -> PyResult<u64> {
        let used = self.decider.kept().used(timestamp_ms.at);
        used.map_err(|error| raised(&error))
    }

    /// For each rate, the microsecond in which all that was admitted under "gcra" will have drained; 0 if nothing ever was.
    fn arrivals(&self) -> PyResult<Vec<u64>> {
        let drained = self.decider.kept().reset_at();
        Ok(drained.map_err(|error| raised(&error))?.into_iter().map(Timestamp::as_micros).collect())
    }

    /// Name, time and weight of each request in the log, the oldest first.
    fn items(&self, py: Python<'_>) -> Vec<Item> {
        self.decider.kept().labels.iter().map(|label| item(py, label)).collect()
    }

    /// Gives up what has left every window by this time; says how many units that were.
    fn leak(&self, timestamp_ms: Tick) -> u64 {
        self.decider.leak(timestamp_ms)
    }

    /// Forgets all that was taken.
    fn flush(&self) -> PyResult<()> {
        self.reset(None, None).map(drop)
    }

    /// Decides now, behind those who wait, or at a time of the caller's in no line; tells all about it.
    #[pyo3(name = "decide_fully", signature = (name, weight, at_ms = None))]
    fn judge(&self, name: &Bound<'_, PyAny>, weight: u64, at_ms: Option<Tick>) -> PyResult<Judged> {
        let name = name.as_borrowed();
        let judged = match at_ms {
            None => self.decider.judge(name, weight),
            Some(tick) => self.decider.judge_at(name, weight, tick.at),
        };
        judged.map_err(|error| raised(&error))
    }

    /// How the bucket is now, or at a time of the caller's.
    #[pyo3(signature = (_name = None, at_ms = None))]
    fn usage(&self, _name: Option<&Bound<'_, PyAny>>, at_ms: Option<Tick>) -> PyResult<Looked> {
        self.decider.look(at_ms.map(|tick| tick.at)).map_err(|error| raised(&error))
    }

    /// Gives back what was taken; says how many units of it still counted.
    #[pyo3(signature = (taken, at_ms = None))]
    #[expect(clippy::needless_pass_by_value, reason = "it is made of what Python passes")]
    fn refund(&self, taken: Taken, at_ms: Option<Tick>) -> PyResult<u64> {
        let units = match at_ms {
            None => self.decider.give_back(&taken),
            Some(tick) => self.decider.give_back_at(&taken, tick.at),
        };
        units.map_err(|error| raised(&error))
    }

    /// Keeps so many units of what was taken; says how many were given back.
    #[pyo3(signature = (taken, units, at_ms = None))]
    fn settle(&self, taken: Taken, units: u64, at_ms: Option<Tick>) -> PyResult<u64> {
        rest_of(taken, units).map_or(Ok(0), |rest| self.refund(rest, at_ms))
    }

    /// Takes units whether or not there is room.
    #[pyo3(signature = (name, units, at_ms = None))]
    fn penalize(&self, name: Py<PyAny>, units: u64, at_ms: Option<Tick>) -> PyResult<()> {
        self.decider.penalize(name, units, at_ms.map(|tick| tick.at)).map_err(|error| raised(&error))
    }

    /// Lets nobody pass for so many seconds.
    #[pyo3(signature = (_name, seconds, at_ms = None))]
    fn hold(&self, _name: &Bound<'_, PyAny>, seconds: f64, at_ms: Option<Tick>) -> PyResult<()> {
        let duration = duration_of("hold", seconds)?;
        self.decider.hold(duration, at_ms.map(|tick| tick.at)).map_err(|error| raised(&error))
    }

    /// Forgets all that was taken, and any hold; says whether there was anything.
    #[pyo3(signature = (_name = None, at_ms = None))]
    fn reset(&self, _name: Option<&Bound<'_, PyAny>>, at_ms: Option<Tick>) -> PyResult<bool> {
        self.decider.reset(at_ms.map(|tick| tick.at)).map_err(|error| raised(&error))
    }

    /// As `wait`, and gives what was taken; None if it cannot be in time.
    #[pyo3(signature = (name, weight, timeout = None))]
    fn reserve(slf: &Bound<'_, Self>, name: Py<PyAny>, weight: u64, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        Self::reserve_for(slf.as_unbound(), slf.py(), name, weight, limit_of(timeout)?).here(slf.py())
    }

    /// The same for a task: what to await for the answer.
    #[pyo3(signature = (name, weight, timeout = None))]
    fn reserve_async(slf: &Bound<'_, Self>, name: Py<PyAny>, weight: u64, timeout: Option<f64>) -> PyResult<Waiter> {
        Ok(Waiter::new(Self::reserve_for(slf.as_unbound(), slf.py(), name, weight, limit_of(timeout)?)))
    }

    /// Holds requests to these rates from now on, those that wait included. What was taken still counts.
    fn set_rates(&self, rates: Vec<Numbers>) -> PyResult<()> {
        let quota = quota_of(rates, self.decider.algorithm())?;
        self.decider.set_rates(&quota).map_err(|error| raised(&error))
    }

    /// Milliseconds on the bucket's own clock, which is that of `time.monotonic`.
    #[expect(clippy::unused_self, reason = "the clock is the bucket's to whoever asks it")]
    fn now(&self) -> i64 {
        rounded_down(MonotonicTimer::shared().read())
    }

    /// Lets nobody wait or acquire any more, and wakes those who do: they raise `RuntimeError`.
    fn close(&self) {
        self.decider.close();
    }

    /// Waits until the units are taken, for `timeout` seconds at the most; says whether they were.
    #[pyo3(signature = (name, weight, timeout = None))]
    fn wait(slf: &Bound<'_, Self>, name: Py<PyAny>, weight: u64, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let (py, limit) = (slf.py(), limit_of(timeout)?);
        if weight == 0 {
            return Ok(truth(py, true).unbind());
        }
        Self::wait_for(slf.as_unbound(), py, name, weight, limit).here(py)
    }

    /// The same for a task: what to await for the answer.
    #[pyo3(signature = (name, weight, timeout = None))]
    fn wait_async(slf: &Bound<'_, Self>, name: Py<PyAny>, weight: u64, timeout: Option<f64>) -> PyResult<Waiter> {
        Ok(Waiter::new(Self::wait_for(slf.as_unbound(), slf.py(), name, weight.max(1), limit_of(timeout)?)))
    }

    /// The bucket as plain objects, for `load`.
    fn dump<'py>(&self, py: Python<'py>) -> Dump<'py> {
        dump::dumped(py, &self.decider, self.is_plain())
    }

    /// The bucket that `dump` gave, apart from the one that it was.
    #[staticmethod]
    fn load(state: Dump<'_>) -> PyResult<Self> {
        let (decider, is_plain) = dump::loaded(state)?;
        Ok(Self { decider, is_plain: AtomicBool::new(is_plain) })
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Dump<'py>,))> {
        Ok((slf.get_type().getattr(pyo3::intern!(slf.py(), "load"))?, (slf.get().dump(slf.py()),)))
    }
}
