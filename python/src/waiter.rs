//! What a task awaits until an errand is done.

use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::errand::Errand;
use crate::loop_bell::LoopBell;

/// An awaitable whose value is what came of an errand.
///
/// Cancelling the task that awaits it, or dropping it, calls the errand off: it leaves the line without a trace.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct Waiter {
    /// None once it is over.
    errand: Mutex<Option<Errand>>,
}

impl Waiter {
    pub(crate) fn new(errand: Errand) -> Self {
        Self { errand: Mutex::new(Some(errand)) }
    }

    fn take(&self) -> Option<Errand> {
        self.errand.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[pymethods]
impl Waiter {
    /// What awaits is Python code, with none of ours beneath it: a thread that the interpreter ends must not unwind that.
    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        static AWAIT_TURN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        AWAIT_TURN.import(slf.py(), "scupper._turns", "await_turn")?.call1((slf,))
    }

    /// Begins, or looks whether it is done: then gives the outcome, alone in a tuple. If it is not, the bell rings for this future
    /// once it may be.
    fn look(&self, py: Python<'_>, bell: &LoopBell, future: Py<PyAny>) -> PyResult<Option<(Py<PyAny>,)>> {
        let Some(mut errand) = self.take() else {
            return Err(PyRuntimeError::new_err("cannot await a waiter whose turn is over"));
        };
        match errand.look(py, &Waker::from(bell.call(future))) {
            Poll::Ready(outcome) => outcome.map(|outcome| Some((outcome,))),
            Poll::Pending => {
                *self.errand.lock().unwrap_or_else(PoisonError::into_inner) = Some(errand);
                Ok(None)
            }
        }
    }

    /// Calls it off; what was admitted and not seen is given back.
    fn leave(&self) {
        drop(self.take());
    }
}
