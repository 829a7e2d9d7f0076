//! Work that goes on with nobody waiting for it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Wake, Waker};

use crate::hold_back;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};
use crate::turnstile::Turnstile;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Work that is driven by whoever wakes it, on their thread: what somebody asks for is on its way before they go on.
pub(crate) struct Detached {
    turnstile: Turnstile,
    work: Mutex<Option<Work>>,
    is_over: AtomicBool,
}

/// Sees this future to its end: now as far as it goes, then whenever it is woken. It must not block.
pub(crate) fn detach(work: impl Future<Output = ()> + Send + 'static) {
    Detached::begin(work);
}

impl Detached {
    /// As [`detach`], with a hold on the work.
    pub(crate) fn begin(work: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        let this = Arc::new(Self {
            turnstile: Turnstile::default(),
            work: Mutex::new(Some(Box::pin(work))),
            is_over: AtomicBool::new(false),
        });
        this.go_on();
        this
    }

    /// Whether the work is done, or was ended.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Drops the work where it stands.
    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) fn end(self: &Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        self.go_on();
    }

    fn go_on(self: &Arc<Self>) {
        while self.turnstile.enter() {
            self.step();
            if !self.turnstile.leave() {
                break;
            }
        }
    }

    fn step(self: &Arc<Self>) {
        // Taken out: what it wakes or drops is foreign code, not to be met with the lock held.
        let work = lock(&self.work).take();
        let waker = Waker::from(Arc::clone(self));
        let unfinished = work.filter(|_| !self.is_over()).and_then(|mut work| {
            // Whoever wakes it has nothing to do with what goes wrong in it: work that panics is over.
            let mut poll = || work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
            let goes_on = catch_unwind(AssertUnwindSafe(&mut poll)).unwrap_or(false);
            goes_on.then_some(work)
        });
        if unfinished.is_none() {
            self.is_over.store(true, Ordering::Release);
        }
        *lock(&self.work) = unfinished;
    }
}

impl Wake for Detached {
    fn wake(self: Arc<Self>) {
        hold_back::or_later(move || self.go_on());
    }
}

#[cfg(any(feature = "postgres", feature = "redis"))]
#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    /// Work that counts how often it is polled, says how it may be woken, and never ends.
    fn counting(polls: &Arc<Mutex<u32>>, waker: &Arc<Mutex<Option<Waker>>>) -> Arc<Detached> {
        let (polls, waker) = (Arc::clone(polls), Arc::clone(waker));
        Detached::begin(poll_fn(move |context| {
            *lock(&polls) += 1;
            *lock(&waker) = Some(context.waker().clone());
            Poll::Pending
        }))
    }

    #[test]
    fn work_goes_on_at_once_on_the_thread_that_wakes_it_until_it_is_ended() {
        let (polls, waker) = Default::default();
        let work = counting(&polls, &waker);
        assert_eq!(*lock(&polls), 1);
        let wake = lock(&waker).take().unwrap();
        wake.wake_by_ref();
        assert_eq!(*lock(&polls), 2);
        work.end();
        assert!(work.is_over());
        wake.wake();
        assert_eq!((*lock(&polls), Arc::strong_count(&polls)), (2, 1), "it was dropped");
    }

    #[test]
    fn what_is_woken_under_a_lock_goes_on_behind_it() {
        let (polls, waker) = Default::default();
        let _work = counting(&polls, &waker);
        let wake = lock(&waker).take().unwrap();
        hold_back::hold_back(|| {
            let held = lock(&polls);
            wake.wake_by_ref();
            hold_back::hold_back(|| wake.wake_by_ref());
            assert_eq!(*held, 1);
        });
        assert!(*lock(&polls) > 1);
    }

    #[test]
    fn work_that_panics_is_over_and_who_woke_it_goes_on() {
        let work = Detached::begin(async { panic!("on purpose") });
        assert!(work.is_over());
    }
}
