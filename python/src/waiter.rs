//! What a task awaits until its turn has come.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::bucket::MemoryBucket;
use crate::loop_bell::LoopBell;
use crate::turn::Turn;

/// An awaitable whose value says whether the units were taken.
///
/// Cancelling the task that awaits it, or dropping it, leaves the line without a trace.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct Waiter {
    bucket: Py<MemoryBucket>,
    name: Py<PyAny>,
    weight: u64,
    /// None once it is over.
    turn: Mutex<Option<Turn>>,
}

impl Waiter {
    pub(crate) fn new(bucket: Py<MemoryBucket>, name: Py<PyAny>, weight: u64, turn: Turn) -> Self {
        Self { bucket, name, weight, turn: Mutex::new(Some(turn)) }
    }

    fn turn(&self) -> MutexGuard<'_, Option<Turn>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Waiter {
    /// What awaits is Python code, with none of ours beneath it: a thread that the interpreter ends must not unwind that.
    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        static AWAIT_TURN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        AWAIT_TURN.import(slf.py(), "scupper._turns", "await_turn")?.call1((slf,))
    }

    /// Joins the line, or looks whether the turn has come: then says whether the units were taken. If it has not, the bell rings for
    /// this future once it has.
    fn look(&self, py: Python<'_>, bell: &LoopBell, future: Py<PyAny>) -> PyResult<Option<bool>> {
        let Some(mut turn) = self.turn().take() else {
            return Err(PyRuntimeError::new_err("cannot await a waiter whose turn is over"));
        };
        match turn.as_mut().poll(&mut Context::from_waker(&Waker::from(bell.call(future)))) {
            Poll::Ready(granted) => self.bucket.get().settle(self.name.clone_ref(py), self.weight, granted).map(Some),
            Poll::Pending => {
                *self.turn() = Some(turn);
                Ok(None)
            }
        }
    }

    /// Leaves the line; what was admitted and not seen is given back.
    fn leave(&self) {
        let turn = self.turn().take();
        drop(turn);
    }
}
