//! How a thread waits for its turn: without the interpreter, and on the main thread so that a signal ends it.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};

use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::getpid;
use rustix::thread::gettid;

use crate::errand::Errand;

/// Blocks the calling thread until the errand is done.
///
/// # Errors
/// Its own, and what a handler of a signal raises, such as `KeyboardInterrupt`. Then it is called off.
pub(crate) fn wait(py: Python<'_>, mut errand: Errand) -> PyResult<Py<PyAny>> {
    let ear = if is_main_thread() { Ear::of_main_thread()? } else { Ear::of_other_thread() };
    let waker = ear.waker();
    loop {
        if let Poll::Ready(outcome) = errand.look(py, &waker) {
            return outcome;
        }
        py.detach(|| ear.listen())?;
        py.check_signals()?;
    }
}

/// Handlers of signals run on the main thread, and nowhere else. In a child, that is the one thread that is left.
///
/// The system is asked, as Python would have to run code of its own to tell.
fn is_main_thread() -> bool {
    gettid() == getpid()
}

/// Hears a waker's call.
enum Ear {
    /// A thread that sleeps through signals, and needs nothing of the system but itself.
    Thread(Arc<Sleeper>),
    /// A pipe, as waiting for it ends when a signal comes.
    Pipe(Arc<Bell>),
}

struct Sleeper {
    is_called: AtomicBool,
    thread: Thread,
}

/// It has both ends, for as long as anybody may ring: a pipe that nobody can read any more ends the process of whoever writes
/// into it, unless that ignores `SIGPIPE`.
struct Bell {
    is_rung: AtomicBool,
    rope: PipeWriter,
    ear: PipeReader,
}

impl Ear {
    fn of_other_thread() -> Self {
        Self::Thread(Arc::new(Sleeper { is_called: AtomicBool::new(false), thread: thread::current() }))
    }

    fn of_main_thread() -> io::Result<Self> {
        let (ear, rope) = io::pipe()?;
        Ok(Self::Pipe(Arc::new(Bell { is_rung: AtomicBool::new(false), rope, ear })))
    }

    fn waker(&self) -> Waker {
        match self {
            Self::Thread(sleeper) => Waker::from(Arc::clone(sleeper)),
            Self::Pipe(bell) => Waker::from(Arc::clone(bell)),
        }
    }

    /// Sleeps until there was a call, or a signal.
    fn listen(&self) -> io::Result<()> {
        match self {
            Self::Thread(sleeper) => {
                while !sleeper.is_called.swap(false, Ordering::Acquire) {
                    thread::park();
                }
                Ok(())
            }
            Self::Pipe(bell) => match poll(&mut [PollFd::new(&bell.ear, PollFlags::IN)], None) {
                Ok(_) => {
                    (&bell.ear).read_exact(&mut [0])?;
                    // Who calls before this does it before the next look, too.
                    bell.is_rung.store(false, Ordering::Release);
                    Ok(())
                }
                Err(Errno::INTR) => Ok(()),
                Err(error) => Err(error.into()),
            },
        }
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.is_called.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            // There is room for a byte, and somebody who can read it.
            let _ = (&self.rope).write_all(&[0]);
        }
    }
}
