use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::store::{Outcomes, Submission, SubmissionFuture};
use crate::sync::Arc;
use crate::time::Timestamp;
use crate::timer::{Alarm, Timer};

/// A call that may take so long and no longer: the outcomes, or the call itself if they are not there in time.
#[must_use = "futures do nothing unless they are polled"]
pub(super) struct Limited {
    call: Option<SubmissionFuture>,
    timer: Arc<dyn Timer>,
    until: Option<Timestamp>,
    alarm: Option<(Waker, Alarm)>,
}

impl Limited {
    pub(super) fn new(call: Submission, timer: &Arc<dyn Timer>, limit: Option<Duration>) -> Self {
        let until = limit.map(|limit| timer.now() + limit);
        Self { call: Some(call.into_future()), timer: Arc::clone(timer), until, alarm: None }
    }
}

impl Future for Limited {
    type Output = Result<Outcomes, SubmissionFuture>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(mut call) = self.call.take() else { return Poll::Pending };
        if let Poll::Ready(outcomes) = Pin::new(&mut call).poll(context) {
            return Poll::Ready(Ok(outcomes));
        }
        let Some(until) = self.until else {
            self.call = Some(call);
            return Poll::Pending;
        };
        if self.timer.now() >= until {
            return Poll::Ready(Err(call));
        }
        let is_set = self.alarm.as_ref().is_some_and(|(waker, _)| waker.will_wake(context.waker()));
        if !is_set {
            // Without an alarm, the limit is seen when the call is next polled.
            let alarm = self.timer.remind_at(until, context.waker().clone()).ok();
            self.alarm = alarm.map(|alarm| (context.waker().clone(), alarm));
        }
        self.call = Some(call);
        Poll::Pending
    }
}
