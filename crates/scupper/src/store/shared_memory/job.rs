use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::fork::Section;
use crate::store::asked::Asked;
use crate::store::batch::{Batch, Operation};
use crate::store::shared_memory::progress::Progress;
use crate::store::submission::Outcomes;
use crate::sync::{Arc, Mutex, lock};

/// A batch that waits for the lock.
#[derive(Debug)]
pub(super) struct Job {
    asked: Vec<Asked>,
    /// Until when it may wait.
    until: Instant,
    /// What is done of it already.
    progress: Progress,
    promise: Promise,
}

/// That a job is answered.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    answer: Arc<Answer>,
    operations: usize,
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
    pub(super) fn new(batch: Batch<'_>, progress: Progress, until: Instant) -> (Self, Awaited) {
        let answer = Arc::<Answer>::default();
        let asked: Vec<_> = batch.operations().iter().map(Asked::of).collect();
        let promise = Promise { answer: Arc::clone(&answer), operations: asked.len() };
        (Self { asked, until, progress, promise }, Awaited(answer))
    }

    /// Carries it out by this work.
    pub(super) fn work(mut self, work: impl FnOnce(&[Operation<'_>], &mut Progress, Instant)) -> Outcomes {
        let operations: Vec<_> = self.asked.iter().map(Asked::operation).collect();
        work(&operations, &mut self.progress, self.until);
        self.progress.outcomes
    }

    /// Whether nobody waits for the answer, so that it need not be carried out.
    pub(super) fn is_abandoned(&self) -> bool {
        self.promise.answer.within(|slot| slot.is_abandoned) && self.asked.iter().all(Asked::is_for_the_asker)
    }

    /// What is done of it, where it is not to be carried out.
    pub(super) fn into_progress(self) -> Progress {
        self.progress
    }

    pub(super) fn promise(&self) -> Promise {
        self.promise.clone()
    }
}

impl Promise {
    /// Leaves the outcomes; says whom to wake, with no lock held.
    pub(super) fn keep(self, outcomes: Outcomes) -> Option<Waker> {
        self.answer.within(|slot| {
            slot.outcomes = Some(outcomes);
            slot.waker.take()
        })
    }

    /// Answers that nobody knows what came of it.
    pub(super) fn break_off(self, why: &'static str) -> Option<Waker> {
        let outcomes = (0..self.operations).map(|_| Err(Error::new(ErrorKind::Unknown, why))).collect();
        self.keep(outcomes)
    }
}

impl Answer {
    /// Has the lock, where the process does not fork meanwhile.
    fn within<T>(&self, act: impl FnOnce(&mut Slot) -> T) -> T {
        let _section = Section::enter();
        act(&mut lock(&self.0))
    }
}

impl Future for Awaited {
    type Output = Outcomes;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcomes> {
        // To clone or to drop a waker is somebody else's code, and done outside.
        let waker = context.waker().clone();
        let (polled, unused) = self.0.within(|slot| match slot.outcomes.take() {
            Some(outcomes) => (Poll::Ready(outcomes), Some(waker)),
            None => (Poll::Pending, slot.waker.replace(waker)),
        });
        drop(unused);
        polled
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let waker = self.0.within(|slot| {
            slot.is_abandoned = true;
            slot.waker.take()
        });
        drop(waker);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("is_answered", &self.outcomes.is_some()).finish_non_exhaustive()
    }
}
