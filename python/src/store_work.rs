//! What buckets in a store are asked, as work that goes on by itself.

use std::time::Duration;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use scupper::store::Verdict;
use scupper::{Limiter, Timestamp};

use crate::argument::Patience;
use crate::course::truth;
use crate::errand::Errand;
use crate::errors::raised;
use crate::housekeeping::{count, forget_all};
use crate::judged::{Taken, judged, looked, permit_of, rest_of, taken_by, told};
use crate::millis::{Tick, limit_of};
use crate::on_store::{Asked, Ruled, not_admitted};
use crate::options::duration;
use crate::quota::never_fits;
use crate::store_bucket::StoreBucket;

impl StoreBucket {
    /// Gives whether it was admitted.
    pub(crate) fn noting(slf: &Py<Self>, py: Python<'_>, asked: Asked, weight: u64) -> Errand {
        let bucket = slf.clone_ref(py);
        slf.get().errand(asked, move |py, ruled| Ok(truth(py, bucket.get().on.note(weight, ruled)).unbind()))
    }

    /// Work for the store, and what Python is told of it.
    fn errand<T: Send + 'static>(
        &self,
        work: impl Future<Output = scupper::Result<T>> + Send + 'static,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> Errand {
        let finish = |py: Python<'_>, outcome: scupper::Result<T>| finish(py, outcome.map_err(|error| raised(&error))?);
        Errand::new(work, finish).lending_interpreter(!self.is_quick)
    }

    /// The same for work on the bucket of a name.
    fn errand_on<T, F>(
        &self,
        name: &Bound<'_, PyAny>,
        work: impl FnOnce(Limiter, String) -> F,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Errand>
    where
        T: Send + 'static,
        F: Future<Output = scupper::Result<T>> + Send + 'static,
    {
        let key = self.on.place.key(name)?.into_owned();
        Ok(self.errand(work(self.on.limiter(), key), finish))
    }

    pub(crate) fn waiting(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        weight: u64,
        timeout: Option<f64>,
    ) -> PyResult<Errand> {
        let patience = limit_of(timeout)?.map_or(Patience::Waits, Patience::WaitsFor);
        let (key, weight) = (slf.get().on.place.key(name)?, weight.max(1));
        let asked = slf.get().on.ask(&key, weight, None, patience);
        Ok(Self::noting(slf.as_unbound(), slf.py(), asked, weight))
    }

    pub(crate) fn putting(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        at: Option<Tick>,
        weight: i64,
    ) -> PyResult<Errand> {
        let key = slf.get().on.place.key(name)?;
        let weight = u64::try_from(weight)
            .map_err(|_| PyValueError::new_err(format!("item's weight is {weight}; it must be >= 0")))?;
        if weight == 0 {
            slf.get().on.forget_denial();
            return Ok(Errand::done(Ok(slf.py().None())));
        }
        let asked = slf.get().on.ask(&key, weight, at.map(|tick| tick.at), Patience::Goes);
        let bucket = slf.clone().unbind();
        Ok(slf.get().errand(asked, move |py, ruled| {
            bucket.get().on.note(weight, ruled);
            let denial = bucket.get().on.denial().filter(|_| !matches!(ruled, Ruled::Admitted(_)));
            denial.map(|denial| (denial.rate, denial.wait_ms)).into_py_any(py)
        }))
    }

    pub(crate) fn deciding(&self, name: &Bound<'_, PyAny>, weight: u64) -> PyResult<Errand> {
        let (quota, weight) = (self.on.quota(), weight.max(1));
        let work = |limiter: Limiter, key: String| async move {
            if let Some(rate) = never_fits(&limiter, &quota, weight) {
                return Ok(judged(&Verdict::NeverFits { rate }, &limiter.peek_async(&key).await?));
            }
            let detailed = limiter.request(&key).weight(weight).detailed_async().await?;
            Ok(told(&detailed.decision, &detailed.snapshot, quota.rates()))
        };
        self.errand_on(name, work, |py, judged| judged.into_py_any(py))
    }

    pub(crate) fn looking(&self, name: &Bound<'_, PyAny>) -> PyResult<Errand> {
        let work = |limiter: Limiter, key: String| async move { limiter.peek_async(&key).await };
        self.errand_on(name, work, |py, snapshot| looked(&snapshot).into_py_any(py))
    }

    pub(crate) fn refunding(&self, taken: Taken) -> Errand {
        let limiter = self.on.limiter();
        let work = async move { limiter.refund_async(permit_of(&taken)?).await };
        self.errand(work, |py, units| units.into_py_any(py))
    }

    pub(crate) fn reserving(&self, name: &Bound<'_, PyAny>, weight: u64, timeout: Option<f64>) -> PyResult<Errand> {
        let (quota, limit, weight) = (self.on.quota(), limit_of(timeout)?, weight.max(1));
        let denies_in_outages = self.on.denies_in_outages();
        let work = move |limiter: Limiter, key: String| async move {
            if never_fits(&limiter, &quota, weight).is_some() {
                return Ok(None);
            }
            let request = limiter.request(&key).weight(weight);
            let request = if let Some(limit) = limit { request.timeout(limit) } else { request };
            match request.acquire_async().await {
                Ok(permit) => Ok(Some(taken_by(&permit))),
                Err(error) => not_admitted(error, denies_in_outages).map(|()| None),
            }
        };
        self.errand_on(name, work, |py, taken: Option<Taken>| taken.into_py_any(py))
    }

    /// Keeps so many units of what was taken.
    pub(crate) fn settling(&self, taken: Taken, units: u64) -> Errand {
        match rest_of(taken, units) {
            Some(rest) => self.refunding(rest),
            None => Errand::new(async { 0_u64 }, |py, none| none.into_py_any(py)),
        }
    }

    pub(crate) fn penalizing(&self, name: &Bound<'_, PyAny>, units: u64) -> PyResult<Errand> {
        let work = move |limiter: Limiter, key: String| async move { limiter.penalize_async(&key, units).await };
        self.errand_on(name, work, |py, _: Timestamp| Ok(py.None()))
    }

    pub(crate) fn holding(&self, name: &Bound<'_, PyAny>, seconds: f64) -> PyResult<Errand> {
        let time: Duration = duration("the time to hold", seconds)?;
        let work = move |limiter: Limiter, key: String| async move { limiter.hold_async(&key, time).await };
        self.errand_on(name, work, |py, _: Timestamp| Ok(py.None()))
    }

    pub(crate) fn resetting(&self, name: &Bound<'_, PyAny>) -> PyResult<Errand> {
        let work = |limiter: Limiter, key: String| async move { limiter.reset_async(&key).await };
        self.errand_on(name, work, |py, was_there| Ok(truth(py, was_there).unbind()))
    }

    pub(crate) fn counting(&self) -> Errand {
        let work = count(self.on.limiter(), self.on.place.clone());
        self.errand(work, |py, units| units.into_py_any(py))
    }

    pub(crate) fn flushing(&self) -> Errand {
        self.on.forget_denial();
        self.errand(forget_all(self.on.limiter(), self.on.place.clone()), |py, ()| Ok(py.None()))
    }
}
