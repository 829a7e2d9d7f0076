//! What a task awaits until its turn has come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;

use crate::bucket::MemoryBucket;
use crate::notifier::Notice;
use crate::turn::Turn;

/// An awaitable whose value says whether the units were taken.
///
/// It stands in line from when it is made. Cancelling the task that awaits it, or dropping it, leaves the line without a trace.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct Waiter {
    bucket: Py<MemoryBucket>,
    name: Py<PyAny>,
    weight: u64,
    notice: Arc<Notice>,
    /// None once it is over.
    turn: Mutex<Option<Turn>>,
}

impl Waiter {
    pub(crate) fn new(
        bucket: Py<MemoryBucket>,
        name: Py<PyAny>,
        weight: u64,
        turn: Turn,
        event_loop: Py<PyAny>,
    ) -> PyResult<Self> {
        let notice = Notice::new(event_loop)?;
        Ok(Self { bucket, name, weight, notice, turn: Mutex::new(Some(turn)) })
    }

    /// Joins the line, or looks whether the turn has come: then says whether the units were taken.
    pub(crate) fn look(&self, py: Python<'_>) -> PyResult<Option<bool>> {
        let Some(mut turn) = self.turn().take() else {
            return Err(PyRuntimeError::new_err("cannot await a waiter whose turn is over"));
        };
        match turn.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.notice)))) {
            Poll::Ready(granted) => self.bucket.get().settle(self.name.clone_ref(py), self.weight, granted).map(Some),
            Poll::Pending => {
                *self.turn() = Some(turn);
                Ok(None)
            }
        }
    }

    fn leave(&self) {
        let turn = self.turn().take();
        drop(turn);
    }

    fn turn(&self) -> MutexGuard<'_, Option<Turn>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Waiter {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // Made before the look, so that a turn that comes after it is told to somebody.
        let future = self.notice.future(py)?;
        match self.look(py)? {
            Some(is_admitted) => Err(PyStopIteration::new_err((is_admitted,))),
            None => future.call_method0("__await__")?.call_method0("__next__"),
        }
    }

    /// Leaves the line and raises what was thrown, as when the task is cancelled.
    #[pyo3(signature = (error, value = None, traceback = None, /))]
    fn throw<'py>(
        &self,
        error: &Bound<'py, PyAny>,
        value: Option<&Bound<'py, PyAny>>,
        traceback: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.leave();
        let raised = match value {
            Some(value) if value.is_instance_of::<PyBaseException>() => value.clone(),
            _ if error.is_instance_of::<PyBaseException>() => error.clone(),
            Some(value) => error.call1((value,))?,
            None => error.call0()?,
        };
        if let Some(traceback) = traceback {
            raised.setattr("__traceback__", traceback)?;
        }
        Err(PyErr::from_value(raised))
    }

    /// Leaves the line.
    fn close(&self) {
        self.leave();
    }
}
