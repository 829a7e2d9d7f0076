//! How an event loop hears that a turn has come: by a pipe that it reads, so that nobody needs the interpreter to tell it.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;

use pyo3::prelude::*;

use crate::fork::Section;

/// The bell of one event loop, which has it read once `fileno` is readable.
///
/// With its end it lets go of all futures: a future keeps its loop.
#[pyclass(frozen, weakref, module = "scupper._scupper")]
pub(crate) struct LoopBell {
    ear: PipeReader,
    calls: Arc<Calls>,
    /// All whose turn may still come, and some that are gone. Locked by threads that have the interpreter.
    awaited: Mutex<Vec<Weak<Call>>>,
}

/// Those whose turn has come since the loop looked last.
pub(crate) struct Calls {
    /// None once nobody listens any more.
    called: Mutex<Option<Vec<Arc<Call>>>>,
    rope: PipeWriter,
}

/// What a waiter leaves for whoever has its turn come.
pub(crate) struct Call {
    calls: Arc<Calls>,
    /// What its task awaits; None once nobody listens any more. Locked by threads that have the interpreter.
    future: Mutex<Option<Py<PyAny>>>,
}

impl LoopBell {
    pub(crate) fn call(&self, future: Py<PyAny>) -> Arc<Call> {
        let call = Arc::new(Call { calls: Arc::clone(&self.calls), future: Mutex::new(Some(future)) });
        let mut awaited = self.awaited();
        if awaited.len() == awaited.capacity() {
            awaited.retain(|call| call.strong_count() > 0);
        }
        awaited.push(Arc::downgrade(&call));
        call
    }

    fn awaited(&self) -> MutexGuard<'_, Vec<Weak<Call>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl LoopBell {
    #[new]
    fn new() -> io::Result<Self> {
        let (ear, rope) = io::pipe()?;
        let calls = Arc::new(Calls { called: Mutex::new(Some(Vec::new())), rope });
        Ok(Self { ear, calls, awaited: Mutex::default() })
    }

    /// What is readable once a turn has come.
    fn fileno(&self) -> i32 {
        self.ear.as_raw_fd()
    }

    /// The futures of those whose turn has come.
    fn take(&self, py: Python<'_>) -> io::Result<Vec<Py<PyAny>>> {
        let called = {
            let mut called = self.calls.called();
            let Some(called) = called.as_mut() else { return Ok(Vec::new()) };
            // It was rung once for all of them.
            if !called.is_empty() {
                let mut ear: &PipeReader = &self.ear;
                ear.read_exact(&mut [0])?;
            }
            mem::take(called)
        };
        Ok(called.iter().filter_map(|call| call.future().as_ref().map(|future| future.clone_ref(py))).collect())
    }
}

impl Drop for LoopBell {
    fn drop(&mut self) {
        let awaited = mem::take(&mut *self.awaited());
        // Held before nobody listens any more: a thread without the interpreter must not be the last to drop one with its future.
        let awaited: Vec<_> = awaited.iter().filter_map(Weak::upgrade).collect();
        let unheard = self.calls.called().take();
        let futures: Vec<_> = awaited.iter().filter_map(|call| call.future().take()).collect();
        // With nothing locked: the last to drop a future may run Python code.
        drop((unheard, futures));
    }
}

impl Call {
    fn future(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.future.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    fn called(&self) -> MutexGuard<'_, Option<Vec<Arc<Call>>>> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings, and gives the call back where nobody listens any more.
    fn ring_for(&self, call: Arc<Call>) -> Option<Arc<Call>> {
        let _section = Section::enter();
        let mut called = self.called();
        let Some(called) = called.as_mut() else { return Some(call) };
        called.push(call);
        if called.len() == 1 {
            // It fails only where nobody listens any more.
            let _ = (&self.rope).write_all(&[0]);
        }
        None
    }
}

impl Wake for Call {
    /// On any thread. The future goes along, as it may only be dropped by a thread that has the interpreter.
    fn wake(self: Arc<Self>) {
        let calls = Arc::clone(&self.calls);
        // With nothing locked: the last to drop a future may run Python code.
        drop(calls.ring_for(self));
    }
}
