//! Work that goes on by itself, and whose outcome becomes a Python object.

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pyo3::prelude::*;

use crate::bell;

/// What makes a Python object of an outcome, where the interpreter is at hand.
type Finish = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// Begins when it is first looked at. Dropping it calls it off: it leaves the line, and gives back what was admitted meanwhile.
pub(crate) struct Errand {
    work: Pin<Box<dyn Future<Output = Finish> + Send>>,
    /// Whether others may have the interpreter while it takes a step.
    lends_interpreter: bool,
}

impl Errand {
    /// `finish` is called with the interpreter, and calls no code of anybody else.
    pub(crate) fn new<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> Self {
        let work = async move {
            let outcome = work.await;
            Box::new(move |py: Python<'_>| finish(py, outcome)) as Finish
        };
        Self { work: Box::pin(work), lends_interpreter: false }
    }

    /// One that is done.
    pub(crate) fn done(outcome: PyResult<Py<PyAny>>) -> Self {
        Self::new(ready(outcome), |_, outcome| outcome)
    }

    /// For work of which a step may take longer than a look at memory.
    pub(crate) fn lending_interpreter(self, lends_interpreter: bool) -> Self {
        Self { lends_interpreter, ..self }
    }

    /// Goes on as far as it can; the waker is called when it can go further.
    pub(crate) fn look(&mut self, py: Python<'_>, waker: &Waker) -> Poll<PyResult<Py<PyAny>>> {
        let mut step = || self.work.as_mut().poll(&mut Context::from_waker(waker));
        let finish = if self.lends_interpreter { py.detach(step) } else { step() };
        finish.map(|finish| finish(py))
    }

    /// Blocks the calling thread until it is done.
    ///
    /// # Errors
    /// Its own, and what a handler of a signal raises, such as `KeyboardInterrupt`. Then it is called off.
    pub(crate) fn here(mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.look(py, Waker::noop()) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => bell::wait(py, self),
        }
    }
}
