//! A small executor, and a timer that moves a manual clock on when someone waits for it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::error::Result;
use crate::time::Timestamp;
use crate::timer::{Alarm, ManualTimer, Timer};

/// Wakes a thread, and remembers it.
#[derive(Debug)]
pub(super) struct Signal {
    thread: Thread,
    woken: AtomicBool,
}

impl Signal {
    pub(super) fn for_this_thread() -> Arc<Self> {
        Arc::new(Self { thread: thread::current(), woken: AtomicBool::new(false) })
    }

    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs a future to its end. While it waits, a manual clock goes from alarm to alarm.
pub(super) fn block_on<T>(timer: Option<&ManualTimer>, future: impl Future<Output = T>) -> T {
    let signal = Signal::for_this_thread();
    let waker = Waker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !signal.take() {
            match timer.and_then(|timer| timer.next_alarm().map(|at| (timer, at))) {
                Some((timer, at)) => timer.set(at.max(timer.now())),
                None => thread::park(),
            }
        }
    }
}

/// A manual clock that moves to the end of every blocking sleep, however it was made.
#[derive(Clone, Debug)]
pub(super) struct Driven(pub(super) ManualTimer);

impl Timer for Driven {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.0.wake_at(at, waker)
    }

    fn sleep_until(&self, at: Timestamp) -> Result<()> {
        if self.now() < at {
            self.0.set(at);
        }
        Ok(())
    }
}
