use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Wake, Waker};

use crate::sync::{Arc, Mutex, lock};
use crate::turnstile::Turnstile;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Work that goes on with nobody waiting for it, driven by whoever wakes it.
struct Detached {
    turnstile: Turnstile,
    work: Mutex<Option<Work>>,
}

/// Sees this future to its end: now as far as it goes, then whenever it is woken. It must not block.
pub(crate) fn detach(work: impl Future<Output = ()> + Send + 'static) {
    Arc::new(Detached { turnstile: Turnstile::default(), work: Mutex::new(Some(Box::pin(work))) }).go_on();
}

impl Detached {
    fn go_on(self: Arc<Self>) {
        while self.turnstile.enter() {
            // Taken out: what it wakes or drops is foreign code, not to be met with the lock held.
            let work = lock(&self.work).take();
            let waker = Waker::from(Arc::clone(&self));
            let unfinished = work.and_then(|mut work| {
                let is_done = work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
                (!is_done).then_some(work)
            });
            *lock(&self.work) = unfinished;
            if !self.turnstile.leave() {
                break;
            }
        }
    }
}

impl Wake for Detached {
    fn wake(self: Arc<Self>) {
        self.go_on();
    }
}
