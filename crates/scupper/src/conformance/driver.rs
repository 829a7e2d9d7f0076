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
struct Signal {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs a future to its end, polling it only when it has been woken.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let signal = Arc::new(Signal { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !signal.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

/// A manual clock that moves to wherever someone waits for it to be.
#[derive(Clone, Debug)]
pub(super) struct Driven(pub(super) ManualTimer);

impl Timer for Driven {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.sleep_until(at)?;
        waker.wake();
        Ok(Alarm::gone_off())
    }

    fn remind_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.0.remind_at(at, waker)
    }

    fn sleep_until(&self, at: Timestamp) -> Result<()> {
        if self.now() < at {
            self.0.set(at);
        }
        Ok(())
    }
}
