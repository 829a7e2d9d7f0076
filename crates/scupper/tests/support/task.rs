use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use scupper_testbed::await_that;

/// A future that is polled by hand: first when it is made, then when it was woken, as an executor does.
pub(crate) struct Task<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    woken: Arc<Woken>,
    output: Option<T>,
    is_over: bool,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a, T> Task<'a, T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'a) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let mut task = Self { future: Box::pin(future), woken, output: None, is_over: false };
        task.go_on();
        task
    }

    fn go_on(&mut self) {
        if self.is_over || !self.woken.0.swap(false, Ordering::SeqCst) {
            return;
        }
        let waker = Waker::from(Arc::clone(&self.woken));
        if let Poll::Ready(output) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            (self.output, self.is_over) = (Some(output), true);
        }
    }

    /// Whether there is reason to poll it, or it is over.
    pub(crate) fn is_woken(&self) -> bool {
        self.is_over || self.woken.0.load(Ordering::SeqCst)
    }

    /// Whether it was over when it was last polled.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn is_pending(&mut self) -> bool {
        self.go_on();
        !self.is_over
    }

    /// Has it polled so often, with the time when it was made, each time when it was woken for it; says whether it was over
    /// before that.
    pub(crate) fn is_over_within(&mut self, polls: usize) -> bool {
        for _ in 1..polls {
            await_that("it was woken", || self.is_woken());
            if !self.is_pending() {
                break;
            }
        }
        self.is_over()
    }

    /// What it came to.
    #[track_caller]
    pub(crate) fn output(&mut self) -> T {
        self.go_on();
        self.output.take().unwrap_or_else(|| panic!("it is not over"))
    }
}
