//! What the limiter in Python is made of: the decision that needs no Python code.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::argument::{Given, Usual};
use crate::course::{Course, Native, truth};
use crate::errand::Errand;
use crate::waiter::Waiter;

/// The base of `Limiter`. Bound to a bucket that is plain, it decides here; everything else is left to the methods in Python.
#[pyclass(subclass, frozen, module = "scupper._scupper")]
pub(crate) struct LimiterBase {
    bucket: OnceLock<Native>,
    is_bound: AtomicBool,
}

impl LimiterBase {
    /// The bucket to decide by, with no code but ours.
    #[inline]
    fn plain(&self) -> Option<&Native> {
        let bucket = self.bucket.get().filter(|_| self.is_bound.load(Ordering::Relaxed))?;
        bucket.is_plain().then_some(bucket)
    }

    /// Whether a request is admitted, or what is made of one that has to wait; nothing where the methods in Python are to decide.
    #[inline]
    fn ask<'py>(
        &self,
        py: Python<'py>,
        name: Given<'_, 'py>,
        (weight, blocking, timeout): (Given<'_, 'py>, Given<'_, 'py>, Given<'_, 'py>),
        wait: impl FnOnce(Errand) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(bucket) = self.plain() else { return Ok(None) };
        let Some(usual) = Usual::read(weight, blocking, timeout) else { return Ok(None) };
        let name = name.get().unwrap_or_else(|| default_name(py));
        if let Some(is_admitted) = bucket.decide(name, &usual)? {
            return Ok(Some(truth(py, is_admitted)));
        }
        match bucket.begin(py, name, &usual)? {
            Course::Decided(is_admitted) => Ok(Some(truth(py, is_admitted))),
            Course::Waits(errand) => wait(errand).map(Some),
        }
    }
}

/// The name of a request that gives none.
fn default_name(py: Python<'_>) -> Borrowed<'_, '_, PyAny> {
    pyo3::intern!(py, "pyrate").as_any().as_borrowed()
}

#[pymethods]
impl LimiterBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { bucket: OnceLock::new(), is_bound: AtomicBool::new(false) }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.bucket.get().map_or(Ok(()), |bucket| bucket.traverse(&visit))
    }

    /// As with the newest protocol: older ones know nothing of a base that is not written in Python.
    fn __reduce_ex__<'py>(slf: &Bound<'py, Self>, protocol: i32) -> PyResult<Bound<'py, PyAny>> {
        let object = slf.py().get_type::<PyAny>();
        object.call_method1("__reduce_ex__", (slf, protocol.max(2)))
    }

    /// Decides by this bucket from now on for as long as it is plain; with None, by no bucket.
    fn _bind(&self, bucket: Option<Native>) -> PyResult<()> {
        let Some(bucket) = bucket else {
            self.is_bound.store(false, Ordering::Relaxed);
            return Ok(());
        };
        bucket.reopen()?;
        if self.bucket.get().is_some_and(|bound| *bound != bucket) {
            return Err(PyRuntimeError::new_err("the limiter is bound to another bucket; make another limiter"));
        }
        self.bucket.get_or_init(|| bucket);
        self.is_bound.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Takes units if all rates have room for them, and waits until they have unless told otherwise.
    ///
    /// Says whether they were taken: False at once where `blocking` is false and there is no room, where `timeout` seconds are too
    /// few, and where so many units never fit. With a bucket that is asynchronous, gives an awaitable of the same.
    #[pyo3(
        signature = (name = Given::LEFT_OUT, weight = Given::LEFT_OUT, blocking = Given::LEFT_OUT, timeout = Given::LEFT_OUT),
        text_signature = "($self, name='pyrate', weight=1, blocking=True, timeout=-1)"
    )]
    fn try_acquire<'py>(
        slf: &Bound<'py, Self>,
        name: Given<'_, 'py>,
        weight: Given<'_, 'py>,
        blocking: Given<'_, 'py>,
        timeout: Given<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let decided =
            slf.get().ask(py, name, (weight, blocking, timeout), |errand| Ok(errand.here(py)?.into_bound(py)))?;
        decided.map_or_else(|| general(slf, name, weight, blocking, timeout), Ok)
    }

    /// As `try_acquire` in a coroutine: True or False if that is known at once, an awaitable of it if not, and None where the
    /// methods in Python are to decide.
    #[pyo3(
        signature = (name = Given::LEFT_OUT, weight = Given::LEFT_OUT, blocking = Given::LEFT_OUT, timeout = Given::LEFT_OUT),
        text_signature = "($self, name='pyrate', weight=1, blocking=True, timeout=-1)"
    )]
    fn _ask<'py>(
        slf: &Bound<'py, Self>,
        name: Given<'_, 'py>,
        weight: Given<'_, 'py>,
        blocking: Given<'_, 'py>,
        timeout: Given<'_, 'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let later = |errand| Ok(Bound::new(py, Waiter::new(errand))?.into_any());
        slf.get().ask(py, name, (weight, blocking, timeout), later)
    }
}

/// The way through Python, with what was given and nothing else.
#[cold]
fn general<'py>(
    slf: &Bound<'py, LimiterBase>,
    name: Given<'_, 'py>,
    weight: Given<'_, 'py>,
    blocking: Given<'_, 'py>,
    timeout: Given<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let arguments = PyDict::new(py);
    arguments.set_item("name", name.get().unwrap_or_else(|| default_name(py)))?;
    match weight.get() {
        Some(weight) => arguments.set_item("weight", weight)?,
        None => arguments.set_item("weight", 1)?,
    }
    match timeout.get() {
        Some(timeout) => arguments.set_item("timeout", timeout)?,
        None => arguments.set_item("timeout", -1)?,
    }
    match blocking.get() {
        Some(blocking) => arguments.set_item("blocking", blocking)?,
        None => arguments.set_item("blocking", true)?,
    }
    slf.call_method("_try_acquire", (), Some(&arguments))
}
