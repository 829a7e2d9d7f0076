use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::store::sqlite::files::Shared;
use crate::store::sqlite::job::Answer;
use crate::store::submission::Outcomes;
use crate::sync::Arc;

/// Waits for the outcomes of a job.
pub(super) struct Awaited {
    answer: Arc<Answer>,
    /// Until then, whoever drops the store last does not close the file.
    _shared: Arc<Shared>,
}

impl Awaited {
    pub(super) fn new(answer: Arc<Answer>, shared: Arc<Shared>) -> Self {
        Self { answer, _shared: shared }
    }
}

impl Future for Awaited {
    type Output = Outcomes;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcomes> {
        self.answer.take_or_wake(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.answer.abandon();
    }
}

impl fmt::Debug for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awaited").field("answer", &self.answer).finish_non_exhaustive()
    }
}
