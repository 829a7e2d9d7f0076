//! How a thread waits for its turn: without the interpreter, and so that a signal ends it.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use scupper::Result;

use crate::turn::{Granted, Turn};

struct Bell {
    is_rung: AtomicBool,
    rope: PipeWriter,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            // It fails only where nobody listens any more.
            let _ = (&self.rope).write_all(&[0]);
        }
    }
}

/// Blocks the calling thread until its turn has come.
///
/// # Errors
/// What a handler of a signal raises, such as `KeyboardInterrupt`. Then the place in line is given up.
pub(crate) fn wait(py: Python<'_>, mut turn: Turn) -> PyResult<Result<Granted>> {
    let (mut ear, rope) = io::pipe()?;
    let bell = Arc::new(Bell { is_rung: AtomicBool::new(false), rope });
    let waker = Waker::from(Arc::clone(&bell));
    loop {
        if let Poll::Ready(granted) = turn.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(granted);
        }
        if py.detach(|| listen(&mut ear))? {
            // Whoever rings from here on is heard by the poll above or by another rope's pull.
            bell.is_rung.store(false, Ordering::Release);
        }
        py.check_signals()?;
    }
}

/// Says whether the bell was rung; if not, there was a signal.
fn listen(ear: &mut PipeReader) -> io::Result<bool> {
    match poll(&mut [PollFd::new(ear, PollFlags::IN)], None) {
        Ok(_) => ear.read_exact(&mut [0]).map(|()| true),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
