use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::detached::detach;
use crate::store::{Outcomes, Submission, SubmissionFuture};

/// What is to be done once a call has been answered.
pub(crate) type Afterwards = Box<dyn FnOnce() + Send>;

/// A call after whose answer something is to be done, also when nobody waits for the answer so long.
#[must_use = "futures do nothing unless they are polled"]
pub(super) struct Watched {
    call: Option<SubmissionFuture>,
    afterwards: Option<Afterwards>,
}

impl Watched {
    pub(super) fn new(call: Submission, afterwards: Afterwards) -> Self {
        Self { call: Some(call.into_future()), afterwards: Some(afterwards) }
    }
}

impl Future for Watched {
    type Output = Outcomes;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(mut call) = self.call.take() else { return Poll::Pending };
        match Pin::new(&mut call).poll(context) {
            Poll::Ready(outcomes) => {
                self.afterwards.take().into_iter().for_each(|afterwards| afterwards());
                Poll::Ready(outcomes)
            }
            Poll::Pending => {
                self.call = Some(call);
                Poll::Pending
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let (Some(call), Some(afterwards)) = (self.call.take(), self.afterwards.take()) {
            detach(async move {
                let _ = call.await;
                afterwards();
            });
        }
    }
}
