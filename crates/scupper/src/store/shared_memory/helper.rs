//! The thread that waits for the lock in the place of those who must not: of executors, and of who has little time.

use std::collections::VecDeque;
use std::process;

use crate::error::{Error, ErrorKind, Result};
use crate::store::shared_memory::job::Job;
use crate::store::submission::Outcomes;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock, start_thread};
use crate::timer::wake;

/// Those who wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Helper {
    jobs: Mutex<VecDeque<Job>>,
    /// The process that has a thread for them, or zero: a child after a fork has none of its parent's.
    served_in: AtomicU64,
}

impl Helper {
    /// So many may wait.
    const MOST: usize = 65_536;

    /// Whether nobody waits, so that one who comes is first.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        let served_in = self.served_in.load(Ordering::Acquire);
        served_in == 0 || served_in != u64::from(process::id())
    }

    /// Has a thread carry out this job by `work`, behind those who came before.
    ///
    /// # Errors
    /// [`ErrorKind::Capacity`] if too many wait, [`ErrorKind::Unavailable`] if there is no thread to be had. It is not carried out.
    pub(super) fn take(self: &Arc<Self>, job: Job, work: impl Fn(&Job) -> Outcomes + Send + 'static) -> Result<()> {
        let mut jobs = lock(&self.jobs);
        let needs_thread = self.is_idle();
        if needs_thread {
            // Those of the parent, if there are any.
            jobs.clear();
        }
        if jobs.len() >= Self::MOST {
            let full = format!("{} requests wait for the lock of the shared memory already", Self::MOST);
            return Err(Error::new(ErrorKind::Capacity, full));
        }
        jobs.push_back(job);
        if needs_thread {
            let helper = Arc::clone(self);
            let started = start_thread(c"scupper-shm", move || helper.serve(&work));
            if let Err(error) = started {
                let what =
                    format!("the shared memory is locked, and the system gives no thread to wait for it: {error}");
                jobs.pop_back();
                return Err(Error::new(ErrorKind::Unavailable, what).with_source(error));
            }
            self.served_in.store(process::id().into(), Ordering::Release);
        }
        Ok(())
    }

    /// Until nobody waits.
    fn serve(&self, work: &impl Fn(&Job) -> Outcomes) {
        loop {
            let mut jobs = lock(&self.jobs);
            let Some(job) = jobs.pop_front() else {
                self.served_in.store(0, Ordering::Release);
                return;
            };
            drop(jobs);
            if !job.is_abandoned() {
                let outcomes = work(&job);
                job.answer(outcomes).into_iter().for_each(wake);
            }
        }
    }
}
