use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::store::asked::Asked;
use crate::store::batch::{Batch, Operation};
use crate::store::submission::Outcomes;
use crate::sync::{Arc, Mutex, lock};

/// A batch that waits for the lock.
#[derive(Debug)]
pub(super) struct Job {
    asked: Vec<Asked>,
    /// Until when it may wait.
    pub(super) until: Instant,
    answer: Arc<Answer>,
}

/// Where the outcomes of a job are left.
#[derive(Debug, Default)]
struct Answer(Mutex<Slot>);

#[derive(Default)]
struct Slot {
    outcomes: Option<Outcomes>,
    waker: Option<Waker>,
    is_abandoned: bool,
}

/// Waits for the outcomes of a job.
#[derive(Debug)]
pub(super) struct Awaited(Arc<Answer>);

impl Job {
    pub(super) fn new(batch: Batch<'_>, until: Instant) -> (Self, Awaited) {
        let answer = Arc::<Answer>::default();
        let asked = batch.operations().iter().map(Asked::of).collect();
        (Self { asked, until, answer: Arc::clone(&answer) }, Awaited(answer))
    }

    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        self.asked.iter().map(Asked::operation).collect()
    }

    /// Whether nobody waits for the answer, so that it need not be carried out.
    pub(super) fn is_abandoned(&self) -> bool {
        lock(&self.answer.0).is_abandoned && self.asked.iter().all(Asked::is_for_the_asker)
    }

    /// Leaves the outcomes; says whom to wake, with no lock held.
    pub(super) fn answer(self, outcomes: Outcomes) -> Option<Waker> {
        let mut slot = lock(&self.answer.0);
        slot.outcomes = Some(outcomes);
        slot.waker.take()
    }
}

impl Future for Awaited {
    type Output = Outcomes;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcomes> {
        // To clone or to drop a waker is somebody else's code, and done outside.
        let waker = context.waker().clone();
        let mut slot = lock(&self.0.0);
        let (polled, unused) = match slot.outcomes.take() {
            Some(outcomes) => (Poll::Ready(outcomes), Some(waker)),
            None => (Poll::Pending, slot.waker.replace(waker)),
        };
        drop(slot);
        drop(unused);
        polled
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let mut slot = lock(&self.0.0);
        slot.is_abandoned = true;
        let waker = slot.waker.take();
        drop(slot);
        drop(waker);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("is_answered", &self.outcomes.is_some()).finish_non_exhaustive()
    }
}
