use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::thread::{self, Thread};
use crate::sync::{Arc, AtomicBool, Ordering};

/// A waker that lets one thread wait without polling.
#[derive(Debug)]
struct ThreadSignal {
    thread: Thread,
    woken: AtomicBool,
}

impl ThreadSignal {
    fn for_this_thread() -> Arc<Self> {
        Arc::new(Self { thread: thread::current(), woken: AtomicBool::new(false) })
    }

    /// Blocks the thread that made this signal until the next wake-up.
    fn wait(&self) {
        while !self.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

impl Wake for ThreadSignal {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Wakes one of several. A waker that panics is its owner's loss, not that of the others.
pub(crate) fn wake(waker: Waker) {
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}

/// Runs a future to its end on this thread. Before it blocks, `idle` may bring about what the future waits for; it is asked
/// again for as long as it says that something happened, and may use the waker to be asked once more later.
pub(crate) fn block_on<F: Future>(future: F, mut idle: impl FnMut(&Waker) -> bool) -> F::Output {
    let signal = ThreadSignal::for_this_thread();
    let waker = Waker::from(Arc::clone(&signal));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut goes_on = true;
        while goes_on {
            goes_on = !signal.woken.load(Ordering::Acquire) && idle(&waker);
        }
        signal.wait();
    }
}
