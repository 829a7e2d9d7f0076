//! How an event loop hears of a turn: from a thread that may wait for the interpreter, so that the thread that serves those in
//! line need not.

use std::mem;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::thread;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyCFunction;

use crate::fork::generation;

/// What is to be done in an event loop once it is a waiter's turn.
pub(crate) struct Notice {
    event_loop: Py<PyAny>,
    /// The future that the waiter's task awaits.
    awaited: Mutex<Option<Py<PyAny>>>,
    sender: Sender<Arc<Self>>,
}

impl Notice {
    pub(crate) fn new(event_loop: Py<PyAny>) -> PyResult<Arc<Self>> {
        Ok(Arc::new(Self { event_loop, awaited: Mutex::default(), sender: sender()? }))
    }

    /// A future that is done once the waiter should look again.
    pub(crate) fn future<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let future = self.event_loop.bind(py).call_method0("create_future")?;
        let last = lock(&self.awaited).replace(future.clone().unbind());
        drop(last);
        Ok(future)
    }

    fn tell(&self, py: Python<'_>) {
        let awaited = lock(&self.awaited).take();
        let Some(future) = awaited else { return };
        let call = || {
            let wake = waking(py)?;
            self.event_loop.bind(py).call_method1("call_soon_threadsafe", (wake, future))
        };
        if let Err(error) = call()
            // A loop that was closed has nobody left who waits.
            && !error.is_instance_of::<PyRuntimeError>(py)
        {
            error.write_unraisable(py, Some(self.event_loop.bind(py)));
        }
    }
}

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        let sender = self.sender.clone();
        // It fails only where the interpreter has ended.
        let _ = sender.send(self);
    }
}

/// Ends a wait unless it was cancelled.
#[pyfunction]
fn wake(future: &Bound<'_, PyAny>) -> PyResult<()> {
    if !future.call_method0("done")?.is_truthy()? {
        future.call_method1("set_result", (future.py().None(),))?;
    }
    Ok(())
}

fn waking(py: Python<'_>) -> PyResult<&Bound<'_, PyCFunction>> {
    static WAKING: PyOnceLock<Py<PyCFunction>> = PyOnceLock::new();
    WAKING.get_or_try_init(py, || wrap_pyfunction!(wake, py).map(Bound::unbind)).map(|wake| wake.bind(py))
}

/// The thread of one process.
struct Notifier {
    made_in: u64,
    sender: Sender<Arc<Notice>>,
}

/// Locked only by threads that have the interpreter.
static NOTIFIER: Mutex<Option<Notifier>> = Mutex::new(None);

fn sender() -> PyResult<Sender<Arc<Notice>>> {
    let mut notifier = lock(&NOTIFIER);
    if let Some(Notifier { made_in, sender }) = &*notifier
        && *made_in == generation()
    {
        return Ok(sender.clone());
    }
    let (sender, receiver) = channel();
    thread::Builder::new().name("scupper-notifier".to_owned()).spawn(move || run(&receiver))?;
    let last = notifier.replace(Notifier { made_in: generation(), sender: sender.clone() });
    // That of a parent: its thread is not here, and what that had locked stays so.
    mem::forget(last);
    Ok(sender)
}

fn run(receiver: &Receiver<Arc<Notice>>) {
    while let Ok(first) = receiver.recv() {
        let told = Python::try_attach(|py| {
            first.tell(py);
            drop(first);
            for next in receiver.try_iter() {
                next.tell(py);
            }
        });
        if told.is_none() {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
