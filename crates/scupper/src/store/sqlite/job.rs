use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::fork::Section;
use crate::store::asked::Asked;
use crate::store::batch::{Batch, Operation};
use crate::store::submission::Outcomes;
use crate::sync::{Arc, Mutex, lock};

/// A batch that waits to be carried out.
#[derive(Debug)]
pub(super) struct Job {
    asked: Vec<Asked>,
    /// Those of its first operations, which are done.
    done: Outcomes,
    /// How long it may wait for other processes, and since when it waits.
    timeout: Duration,
    since: Instant,
    answer: Arc<Answer>,
}

/// Where the outcomes of a job are left.
#[derive(Debug, Default)]
pub(super) struct Answer(Mutex<Slot>);

#[derive(Default)]
struct Slot {
    outcomes: Option<Outcomes>,
    waker: Option<Waker>,
    is_abandoned: bool,
}

impl Job {
    pub(super) fn new(batch: Batch<'_>, timeout: Duration) -> (Self, Arc<Answer>) {
        let answer = Arc::<Answer>::default();
        let asked = batch.operations().iter().map(Asked::of).collect();
        let done = Outcomes::new();
        (Self { asked, done, timeout, since: Instant::now(), answer: Arc::clone(&answer) }, answer)
    }

    /// What is still to be done.
    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        self.asked.iter().skip(self.done.len()).map(Asked::operation).collect()
    }

    /// How many operations are still to be done.
    pub(super) fn size(&self) -> usize {
        self.asked.len() - self.done.len()
    }

    /// Takes down what came of the next of its operations.
    pub(super) fn note(&mut self, outcomes: Outcomes) {
        self.done.extend(outcomes);
    }

    /// Whether nobody waits for the answer, so that it need not be carried out.
    pub(super) fn is_abandoned(&self) -> bool {
        lock(&self.answer.0).is_abandoned && self.asked.iter().all(Asked::is_for_the_asker)
    }

    /// How much longer it may wait.
    pub(super) fn patience(&self) -> Duration {
        self.timeout.saturating_sub(self.since.elapsed())
    }

    /// Leaves the outcomes; says whom to wake, with no lock held.
    pub(super) fn answer(self) -> Option<Waker> {
        let mut slot = lock(&self.answer.0);
        slot.outcomes = Some(self.done);
        slot.waker.take()
    }

    /// Answers that what is still to be done was not carried out.
    pub(super) fn turn_away(mut self, kind: ErrorKind, why: &'static str) -> Option<Waker> {
        let left = self.size();
        self.done.extend((0..left).map(|_| Err(Error::new(kind, why))));
        self.answer()
    }
}

impl Answer {
    /// The outcomes, or else this is woken once they are there.
    pub(super) fn take_or_wake(&self, waker: &Waker) -> Option<Outcomes> {
        // To clone or to drop a waker is somebody else's code, and done outside.
        let waker = waker.clone();
        let (outcomes, last) = self.within(|slot| match slot.outcomes.take() {
            Some(outcomes) => (Some(outcomes), Some(waker)),
            None => (None, slot.waker.replace(waker)),
        });
        drop(last);
        outcomes
    }

    /// Nobody waits for it any more.
    pub(super) fn abandon(&self) {
        let waker = self.within(|slot| {
            slot.is_abandoned = true;
            slot.waker.take()
        });
        drop(waker);
    }

    /// Has the lock, where the process does not fork meanwhile.
    fn within<T>(&self, act: impl FnOnce(&mut Slot) -> T) -> T {
        let _section = Section::enter();
        act(&mut lock(&self.0))
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("is_answered", &self.outcomes.is_some()).finish_non_exhaustive()
    }
}
