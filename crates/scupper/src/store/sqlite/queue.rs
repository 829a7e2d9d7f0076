use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::error::ErrorKind;
use crate::store::sqlite::bell::Bell;
use crate::store::sqlite::crowd::Crowd;
use crate::store::sqlite::job::Job;
use crate::store::sqlite::opened::Opened;
use crate::sync::Arc;

/// What waits for the connection to a file, and where the connection is.
#[derive(Debug)]
pub(super) struct Queue {
    hand: Hand,
    pub(super) jobs: VecDeque<Job>,
    /// Another process has the file: the helper waits for it, and nobody else tries.
    pub(super) is_blocked: bool,
    /// Whether many ask at the same time.
    pub(super) crowd: Crowd,
    /// The helper sees nothing until it is called.
    pub(super) is_helper_asleep: bool,
    /// Of the helper, if there is one.
    pub(super) bell: Option<Arc<Bell>>,
    pub(super) is_closing: bool,
    /// When idle rows are looked for.
    pub(super) sweep_at: Option<Instant>,
}

/// The connection, or the right to open one.
#[derive(Debug)]
pub(super) struct Taken(pub(super) Option<Box<Opened>>);

/// The connection, if one is open, in the hands of whoever works with it.
#[derive(Debug)]
pub(super) enum Hand {
    Free(Option<Box<Opened>>),
    Taken,
}

impl Queue {
    /// So many operations go into a transaction; a single job may have more.
    const OPERATIONS: usize = 512;
    /// So many jobs may wait.
    pub(super) const MOST: usize = 65_536;

    pub(super) fn new() -> Self {
        Self {
            hand: Hand::Free(None),
            jobs: VecDeque::new(),
            is_blocked: false,
            crowd: Crowd::new(),
            is_helper_asleep: false,
            bell: None,
            is_closing: false,
            sweep_at: None,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.jobs.len() >= Self::MOST
    }

    /// Whether nobody has the connection.
    pub(super) fn is_free(&self) -> bool {
        matches!(self.hand, Hand::Free(_))
    }

    /// Takes the connection, if nobody has it.
    pub(super) fn take(&mut self) -> Option<Taken> {
        match std::mem::replace(&mut self.hand, Hand::Taken) {
            Hand::Free(opened) => Some(Taken(opened)),
            Hand::Taken => None,
        }
    }

    pub(super) fn give_back(&mut self, opened: Option<Box<Opened>>) {
        self.hand = Hand::Free(opened);
    }

    /// The next jobs to go together; those before them that nobody wants any more are dropped.
    pub(super) fn next(&mut self) -> Vec<Job> {
        let (mut jobs, mut operations) = (Vec::new(), 0);
        while let Some(job) = self.jobs.front() {
            // Before it is counted: were all that go together abandoned, those behind them would be left to chance.
            if job.is_abandoned() {
                self.jobs.pop_front();
                continue;
            }
            if !jobs.is_empty() && operations + job.size() > Self::OPERATIONS {
                break;
            }
            operations += job.size();
            jobs.extend(self.jobs.pop_front());
        }
        jobs
    }

    /// Puts jobs back to where they were, before all others.
    pub(super) fn put_back(&mut self, jobs: Vec<Job>) {
        jobs.into_iter().rev().for_each(|job| self.jobs.push_front(job));
    }

    /// Plans to look for idle rows in so long, unless that is planned earlier; says whether it is the new plan.
    pub(super) fn sweep_in(&mut self, pause: Duration) -> bool {
        let at = Instant::now().checked_add(pause);
        let is_earlier = at.is_some_and(|at| self.sweep_at.is_none_or(|planned| at < planned));
        if is_earlier {
            self.sweep_at = at;
        }
        is_earlier
    }

    /// In a child of the process that had it: what waits there is the parent's, and so is the helper.
    pub(super) fn begin_anew(&mut self) {
        let why = "the process forked meanwhile, and only the parent hears what came of it";
        for job in self.jobs.drain(..) {
            // Who would be woken is in the parent.
            std::mem::forget(job.turn_away(ErrorKind::Unknown, why));
        }
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{Algorithm, Quota};
    use crate::store::batch::{Batch, Operation};
    use crate::store::sqlite::job::Answer;

    fn wait(queue: &mut Queue, key: &str, operations: usize) -> Arc<Answer> {
        let quota = Quota::new(Algorithm::default(), "5/h").unwrap();
        let operations = vec![Operation::acquire(key, &quota, 1); operations];
        let (job, answer) = Job::new(Batch::new(&operations), Duration::ZERO);
        queue.jobs.push_back(job);
        answer
    }

    fn keys(jobs: &[Job]) -> Vec<String> {
        jobs.iter().map(|job| job.operations()[0].key.to_owned()).collect()
    }

    #[test]
    fn promise_5_however_many_have_gone_away_those_behind_them_are_next() {
        let mut queue = Queue::new();
        for _ in 0..2 * Queue::OPERATIONS {
            wait(&mut queue, "gone", 1).abandon();
        }
        let _first = wait(&mut queue, "first", 1);
        wait(&mut queue, "gone", Queue::OPERATIONS).abandon();
        let _second = wait(&mut queue, "second", 1);
        assert_eq!(keys(&queue.next()), ["first", "second"]);
        assert!(queue.jobs.is_empty() && queue.next().is_empty());
    }

    #[test]
    fn promise_7_so_many_operations_go_together_and_a_larger_job_alone() {
        let mut queue = Queue::new();
        let sizes = [Queue::OPERATIONS - 1, 1, 1, Queue::OPERATIONS + 1, 2];
        let _answers = sizes.map(|size| wait(&mut queue, &size.to_string(), size));
        let next: Vec<usize> = std::iter::repeat_with(|| queue.next().len()).take(4).collect();
        assert_eq!(next, [2, 1, 1, 1]);
    }

    #[test]
    fn what_is_put_back_is_next_and_goes_on_where_it_was() {
        let mut queue = Queue::new();
        let _answers = ["one", "two"].map(|key| wait(&mut queue, key, 3));
        let mut jobs = queue.next();
        jobs[0].note(
            std::iter::repeat_with(|| Err(crate::error::Error::new(ErrorKind::Corrupt, "wrong"))).take(2).collect(),
        );
        queue.put_back(jobs);
        let sizes: Vec<_> = queue.next().iter().map(Job::size).collect();
        assert_eq!(sizes, [1, 3]);
    }
}
