use std::task::Wake;
use std::thread::{self, Thread};

use crate::sync::{Arc, AtomicBool, Ordering};

/// A waker that lets one thread wait without polling.
#[derive(Debug)]
pub(crate) struct ThreadSignal {
    thread: Thread,
    woken: AtomicBool,
}

impl ThreadSignal {
    pub(crate) fn for_this_thread() -> Arc<Self> {
        Arc::new(Self { thread: thread::current(), woken: AtomicBool::new(false) })
    }

    /// Whether there was a wake-up since the last wait.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// Blocks the thread that made this signal until the next wake-up.
    pub(crate) fn wait(&self) {
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
