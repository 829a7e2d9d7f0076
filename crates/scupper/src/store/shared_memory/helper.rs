//! The thread that waits for the lock in the place of those who must not: of executors, and of who has little time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{mem, process};

use scupper_shm::fork::{self, Hooks};

use crate::error::{Error, ErrorKind, Result};
use crate::fork::{self as forks, Section};
use crate::store::shared_memory::job::{Job, Promise};
use crate::store::submission::Outcomes;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, StaticMutex, Weak, lock, lock_static, start_thread};
use crate::timer::wake;

/// Those who wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Helper {
    waiting: Mutex<Waiting>,
    /// The process that has a thread for them, or zero: a child after a fork has none of its parent's.
    served_in: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Of the job that the thread has.
    at_hand: Option<Promise>,
}

/// A job that is not taken, and why.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) job: Job,
    pub(super) error: Error,
}

/// All that there are: a fork waits until nobody is at one of them, and a child begins with empty ones.
#[derive(Debug)]
struct Helpers(StaticMutex<Vec<Weak<Helper>>>);

static HELPERS: Helpers = Helpers(StaticMutex::new(Vec::new()));

impl Helper {
    /// So many may wait.
    const MOST: usize = 65_536;

    /// One for whom nobody waits.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the system has no memory to note what to do around forks.
    pub(super) fn new() -> Result<Arc<Self>> {
        fork::register(&HELPERS).map_err(|error| {
            let what = format!("the system has no memory to note what to do when this process forks: {error}");
            Error::new(ErrorKind::Unavailable, what)
        })?;
        let helper = Arc::<Self>::default();
        let _section = Section::enter();
        let mut helpers = lock_static(&HELPERS.0);
        helpers.retain(|helper| helper.strong_count() > 0);
        helpers.push(Arc::downgrade(&helper));
        Ok(helper)
    }

    /// Whether nobody waits, so that one who comes is first.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        let served_in = self.served_in.load(Ordering::Acquire);
        served_in == 0 || served_in != u64::from(process::id())
    }

    /// Has a thread carry out this job by `work`, behind those who came before. If it panics, nobody knows what was done.
    ///
    /// # Errors
    /// [`ErrorKind::Capacity`] if too many wait, [`ErrorKind::Unavailable`] if there is no thread to be had. It is not carried out.
    pub(super) fn take(
        self: &Arc<Self>,
        job: Job,
        work: impl Fn(Job) -> Outcomes + Send + 'static,
    ) -> Result<(), Box<Refused>> {
        let _section = Section::enter();
        let mut waiting = lock(&self.waiting);
        let needs_thread = self.is_idle();
        if needs_thread {
            // Of a parent, by a fork that nobody was told of.
            waiting.jobs.clear();
        }
        if waiting.jobs.len() >= Self::MOST {
            let full = format!("{} requests wait for the lock of the shared memory already", Self::MOST);
            return Err(Box::new(Refused { job, error: Error::new(ErrorKind::Capacity, full) }));
        }
        waiting.jobs.push_back(job);
        if needs_thread {
            let helper = Arc::clone(self);
            let started = start_thread(c"scupper-shm", move || helper.serve(&work));
            if let Err(error) = started {
                let what =
                    format!("the shared memory is locked, and the system gives no thread to wait for it: {error}");
                let error = Error::new(ErrorKind::Unavailable, what);
                return waiting.jobs.pop_back().map_or(Ok(()), |job| Err(Box::new(Refused { job, error })));
            }
            self.served_in.store(process::id().into(), Ordering::Release);
        }
        Ok(())
    }

    /// Until nobody waits.
    fn serve(&self, work: &impl Fn(Job) -> Outcomes) {
        while let Some(job) = self.next() {
            let promise = job.promise();
            // Else those who come later would wait for a thread that is gone.
            let done = catch_unwind(AssertUnwindSafe(|| work(job)));
            let waker = match done {
                Ok(outcomes) => promise.keep(outcomes),
                Err(_) => promise.break_off("the store panicked; what was asked may or may not count"),
            };
            waker.into_iter().for_each(wake);
        }
    }

    /// The next job that somebody wants; after the last one, the thread is no more.
    fn next(&self) -> Option<Job> {
        let _section = Section::enter();
        let mut waiting = lock(&self.waiting);
        waiting.at_hand = None;
        while let Some(job) = waiting.jobs.pop_front() {
            if !job.is_abandoned() {
                waiting.at_hand = Some(job.promise());
                return Some(job);
            }
        }
        self.served_in.store(0, Ordering::Release);
        None
    }

    /// In a child of the process that had it: who waits is answered in the parent.
    fn begin_anew(&self) {
        let Waiting { jobs, at_hand } = mem::take(&mut *lock(&self.waiting));
        for promise in at_hand.into_iter().chain(jobs.iter().map(Job::promise)) {
            // Who would be woken is in the parent.
            mem::forget(promise.break_off("the process forked meanwhile, and only the parent hears what came of it"));
        }
        self.served_in.store(0, Ordering::Release);
    }
}

impl Hooks for Helpers {
    fn before(&self) {
        forks::close();
    }

    fn after_in_parent(&self) {
        forks::open();
    }

    fn after_in_child(&self) {
        lock_static(&self.0).iter().filter_map(Weak::upgrade).for_each(|helper| helper.begin_anew());
        forks::open();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{Algorithm, Quota};
    use crate::store::batch::{Batch, Operation};
    use crate::store::outcome::Reply;
    use crate::store::shared_memory::progress::Progress;
    use crate::store::submission::Submission;
    use crate::sync::AtomicBool;

    #[test]
    fn a_job_that_panics_is_unknown_and_those_behind_it_are_answered() {
        let helper = Helper::new().unwrap();
        let quota = Quota::new(Algorithm::Gcra, "5/s").unwrap();
        let panics = Arc::new(AtomicBool::new(true));
        for is_wrong in [true, false, false] {
            let operation = Operation::acquire("key", &quota, 1);
            let (job, awaited) = Job::new(Batch::from(&operation), Progress::default(), std::time::Instant::now());
            let panics = Arc::clone(&panics);
            let work = move |_: Job| {
                assert!(!panics.swap(false, Ordering::Relaxed), "on purpose");
                [Ok(Reply::Refunded(1))].into_iter().collect::<Outcomes>()
            };
            helper.take(job, work).unwrap();
            let outcome = Submission::Pending(Box::pin(awaited)).wait().remove(0);
            assert_eq!(outcome.map_err(|error| error.kind()).err(), is_wrong.then_some(ErrorKind::Unknown));
        }
    }
}
