use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Error, ErrorKind, Result};
use crate::ruling::Ruling;
use crate::sync::{Arc, thread};
use crate::timer::{Timer, block_on};
use crate::waiting::queue::Number;
use crate::waiting::server::Server;
use crate::waiting::waiter::Waiter;

/// A place in line: the ruling, once it is there. Who drops it before leaves the line, and what was admitted meanwhile is given
/// back.
#[derive(Debug)]
#[must_use = "a ticket that is dropped leaves the line"]
pub(crate) struct Ticket {
    server: Arc<Server>,
    number: Number,
    waiter: Arc<Waiter>,
    is_over: bool,
}

impl Ticket {
    /// About as many as there are while a store that is a file serves somebody.
    const YIELDS: u32 = 32;

    pub(super) fn new(server: Arc<Server>, number: Number, waiter: Arc<Waiter>) -> Self {
        Self { server, number, waiter, is_over: false }
    }

    /// Blocks the calling thread until the ruling is there.
    ///
    /// While another thread is in the middle of asking the store, this one lets others have the processor a few times before it
    /// sleeps: the answer is near, and waking a thread that sleeps takes longer than many a store. Who waits for a permit, or for
    /// a call that is under way, sleeps at once.
    pub(crate) fn wait(self, timer: &dyn Timer) -> Result<Ruling> {
        let (server, mut yields) = (Arc::clone(&self.server), Self::YIELDS);
        let mut gives_way = || {
            let is_near = yields > 0 && server.is_at_work();
            if is_near {
                yields -= 1;
                thread::yield_now();
            }
            is_near
        };
        block_on(self, |waker| timer.idle(waker) || gives_way())
    }
}

impl Future for Ticket {
    type Output = Result<Ruling>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.server.is_the_parents() {
            self.is_over = true;
            let forked = "the process forked meanwhile, and only the parent hears what came of it";
            return Poll::Ready(Err(Error::new(ErrorKind::Unknown, forked)));
        }
        match self.waiter.poll(context.waker()) {
            Some(ruling) => {
                self.is_over = true;
                Poll::Ready(ruling)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_over && !self.server.is_the_parents() {
            self.server.leave(self.number, &self.waiter);
        }
    }
}
