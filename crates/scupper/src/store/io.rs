//! Where the futures of remote stores run.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::{Unconstrained, unconstrained};

use crate::detached::Detached;
use crate::error::{Error, ErrorKind, Result};
use crate::sync::{Arc, AtomicBool, Ordering, thread};

/// A thread of a store's own that waits for its sockets and timers, so that calls go on whoever waits for them, and on whatever
/// runtime or none. The thread, and all work on it, ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Io {
    runner: Runner,
    /// Dropped with this, which ends the thread.
    _stop: oneshot::Sender<()>,
}

/// Starts work that the thread sees to.
#[derive(Clone)]
pub(crate) struct Runner {
    handle: Handle,
    is_closed: Arc<AtomicBool>,
}

impl Io {
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the system gives no thread, or nothing to wait for sockets with.
    pub(crate) fn start(thread_name: &str) -> Result<Self> {
        let lacking = |error: std::io::Error| {
            let what = format!("the system lacks what talking to a server needs: {error}");
            Error::new(ErrorKind::Unavailable, what).with_source(error)
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(lacking)?;
        let runner = Runner { handle: runtime.handle().clone(), is_closed: Arc::default() };
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            // That the other end is gone is the sign.
            let _ = runtime.block_on(stopped);
        };
        thread::Builder::new().name(thread_name.into()).spawn(work).map_err(lacking)?;
        Ok(Self { runner, _stop: stop })
    }

    pub(crate) fn runner(&self) -> &Runner {
        &self.runner
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        self.runner.is_closed.store(true, Ordering::Release);
    }
}

impl Runner {
    /// The one whose thread or work this is.
    ///
    /// # Panics
    /// Outside of both.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn here() -> Self {
        Self { handle: Handle::current(), is_closed: Arc::default() }
    }

    /// Has the thread do this work.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.handle.spawn(work)
    }

    /// Has the thread do this work, and gives what comes of it.
    ///
    /// # Errors
    /// Those of the work, and [`ErrorKind::Closed`] if it was not seen to its end.
    pub(crate) async fn carry_out<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let lost = |lost| Err(Error::new(ErrorKind::Closed, "the store was closed meanwhile").with_source(lost));
        unconstrained(self.spawn(work)).await.unwrap_or_else(lost)
    }

    /// Begins work on the calling thread, and goes on with it on whichever thread wakes it: on the way to a socket, and to whom
    /// an answer is for, no thread has to be woken but theirs.
    pub(crate) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) -> Arc<Detached> {
        Detached::begin(Within { runner: self.clone(), work: Some(unconstrained(Box::pin(work))) })
    }
}

/// Work that finds the thread's sockets and timers wherever it is driven, and ends with the thread. It has no part in the budget
/// of the task that drives it: once that was spent, it would not go on before the task makes way, and that may wait for it.
struct Within<W> {
    runner: Runner,
    work: Option<Unconstrained<Pin<Box<W>>>>,
}

impl<W: Future<Output = ()>> Future for Within<W> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.runner.is_closed.load(Ordering::Acquire) {
            self.work = None;
        }
        let this = &mut *self;
        let Some(work) = &mut this.work else { return Poll::Ready(()) };
        let _entered = this.runner.handle.enter();
        Pin::new(work).poll(context)
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("is_closed", &self.is_closed).finish_non_exhaustive()
    }
}
