use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Result;
use crate::time::Timestamp;
use crate::timer::contract::{Alarm, Timer};

/// A future that is ready once the clock reads `at` or later.
#[must_use = "a sleep that nobody awaits does not sleep"]
#[derive(Debug)]
pub(crate) struct Sleep<'a> {
    timer: &'a dyn Timer,
    at: Timestamp,
    alarm: Option<Alarm>,
}

impl<'a> Sleep<'a> {
    pub(crate) fn until(timer: &'a dyn Timer, at: Timestamp) -> Self {
        Self { timer, at, alarm: None }
    }
}

impl Future for Sleep<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.timer.now() >= self.at {
            return Poll::Ready(Ok(()));
        }
        // Set anew even for the same waker: a timer may go off early, and an alarm goes off once.
        match self.timer.wake_at(self.at, cx.waker().clone()) {
            Ok(alarm) => {
                self.alarm = Some(alarm);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
