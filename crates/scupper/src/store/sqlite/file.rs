//! One file of this process: who carries out what, and when.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::fork::Section;
use crate::store::batch::{Batch, Operation};
use crate::store::host_clock::Host;
use crate::store::sqlite::bell::Bell;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::job::{Answer, Job};
use crate::store::sqlite::opened::Opened;
use crate::store::sqlite::place::FileId;
use crate::store::sqlite::queue::{Queue, Taken};
use crate::store::sqlite::transaction::{Done, errors};
use crate::store::submission::Outcomes;
use crate::sync::{Arc, Mutex, MutexGuard, lock, start_thread};
use crate::timer::wake;

/// A file, and who waits for it. One at a time has the connection. Who finds it free carries out what it came for itself, and
/// then what others have asked for meanwhile, all that waits in one transaction.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    host: Arc<dyn Host>,
    /// Known to all forks until it is closed.
    pub(super) queue: Arc<Mutex<Queue>>,
}

/// What becomes of a batch.
#[derive(Debug)]
pub(super) enum Submitted {
    Done(Outcomes),
    Waits(Arc<Answer>),
}

/// What came of an attempt to carry out what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Done,
    /// Nothing waits, or somebody else is at it.
    Nothing,
    /// Another process has the file.
    Blocked,
}

impl File {
    /// Idle rows are looked for so long after the first of them can leave, so that more leave at once.
    pub(super) const SWEEP_PAUSE: Duration = Duration::from_secs(1);
    /// So often one caller carries out what others wait for, before the helper goes on.
    const ROUNDS: usize = 4;

    pub(super) fn new(path: PathBuf, host: Arc<dyn Host>) -> Arc<Self> {
        Arc::new(Self { path, host, queue: Arc::new(Mutex::new(Queue::new())) })
    }

    /// Opens the file if it is not open; says which it is.
    pub(super) fn open(self: &Arc<Self>) -> Result<Option<FileId>, Failure> {
        let section = Section::enter();
        let Some(opened) = lock(&self.queue).take() else { return Ok(None) };
        let (opened, served) = self.serve(opened, &[], |_| true);
        let id = opened.as_ref().map(|opened| opened.id());
        let mut queue = lock(&self.queue);
        queue.give_back(opened);
        if served.is_ok() && queue.sweep_in(Self::SWEEP_PAUSE) {
            self.call_helper(&mut queue);
        }
        self.leave(queue, section);
        served.map(|_| id)
    }

    /// Goes, and sees to those who have come meanwhile: they found the connection taken, and rely on who has it.
    fn leave(self: &Arc<Self>, queue: MutexGuard<'_, Queue>, section: Section) {
        let others_wait = !queue.jobs.is_empty();
        drop(queue);
        drop(section);
        if others_wait {
            self.help_others();
        }
    }

    /// Has a batch carried out: at once if nobody has the file, or else soon.
    pub(super) fn submit(self: &Arc<Self>, batch: Batch<'_>, timeout: Duration) -> Submitted {
        let section = Section::enter();
        let mut queue = lock(&self.queue);
        let is_first = queue.jobs.is_empty() && !queue.is_blocked && queue.is_free();
        let is_for_the_helper = is_first && queue.crowd.is_awaited() && self.call_helper(&mut queue);
        let Some(opened) = (is_first && !is_for_the_helper).then(|| queue.take()).flatten() else {
            if queue.is_full() {
                let what = format!(
                    "{} requests wait for the file of the store, and no more may; ask again later",
                    Queue::MOST
                );
                let full = Error::new(ErrorKind::Capacity, what);
                return Submitted::Done(errors(batch.operations(), &Failure::NotDone(full)));
            }
            let (job, answer) = Job::new(batch, timeout);
            queue.jobs.push_back(job);
            return Submitted::Waits(answer);
        };
        drop(queue);
        let (opened, served) = self.serve(opened, &[batch.operations()], |_| true);
        let mut queue = lock(&self.queue);
        queue.give_back(opened);
        queue.crowd.went(batch.operations().len());
        let (mut outcomes, is_blocked) = self.settle(&mut queue, served, &[batch.operations()]);
        let mut outcomes = outcomes.pop().unwrap_or_default();
        if is_blocked && self.call_helper(&mut queue) {
            let (mut job, answer) = Job::new(batch, timeout);
            job.note(outcomes);
            queue.jobs.push_front(job);
            queue.is_blocked = true;
            return Submitted::Waits(answer);
        }
        outcomes.extend(errors(batch.operations().get(outcomes.len()..).unwrap_or_default(), &Failure::Busy));
        self.leave(queue, section);
        Submitted::Done(outcomes)
    }

    /// Carries out what others wait for. Where it does not end, the helper goes on; without one, there is nobody else to.
    fn help_others(self: &Arc<Self>) {
        loop {
            for _ in 0..Self::ROUNDS {
                if self.attempt(false) != Attempt::Done {
                    return;
                }
            }
            let _section = Section::enter();
            let mut queue = lock(&self.queue);
            if queue.jobs.is_empty() || self.call_helper(&mut queue) {
                return;
            }
        }
    }

    /// Carries out what waits, as much as goes together, and wakes who waits for it. Who comes while another process has the
    /// file is not let at it, but for the helper.
    pub(super) fn attempt(self: &Arc<Self>, is_helper: bool) -> Attempt {
        let section = Section::enter();
        let mut queue = lock(&self.queue);
        queue.is_helper_asleep &= !is_helper;
        if queue.is_blocked && !is_helper {
            return Attempt::Nothing;
        }
        let jobs = if queue.is_free() { queue.next() } else { Vec::new() };
        let Some(opened) = (!jobs.is_empty()).then(|| queue.take()).flatten() else {
            queue.is_blocked &= !queue.jobs.is_empty();
            return Attempt::Nothing;
        };
        drop(queue);
        let operations: Vec<_> = jobs.iter().map(Job::operations).collect();
        let batches: Vec<_> = operations.iter().map(Vec::as_slice).collect();
        let (opened, served) = self.serve(opened, &batches, |place| !jobs[place].is_abandoned());
        let mut queue = lock(&self.queue);
        queue.give_back(opened);
        queue.crowd.went(jobs.iter().map(Job::size).sum());
        let (outcomes, is_blocked) = self.settle(&mut queue, served, &batches);
        drop(batches);
        drop(operations);
        let noted = jobs.into_iter().zip(outcomes).map(|(mut job, outcomes)| {
            job.note(outcomes);
            job
        });
        let (done, left): (Vec<_>, Vec<_>) = noted.partition(|job| job.size() == 0);
        queue.put_back(left);
        queue.is_blocked = is_blocked && self.call_helper(&mut queue);
        // Without a thread that waits for the other process, nobody would ever answer them.
        let stranded = if is_blocked && !queue.is_blocked { queue.jobs.drain(..).collect() } else { Vec::new() };
        drop(queue);
        let wakers: Vec<_> = done.into_iter().filter_map(Job::answer).collect();
        drop(section);
        wakers.into_iter().for_each(wake);
        turn_away(stranded, "another process has the file of the store, and the system gives no thread to wait for it");
        if is_blocked { Attempt::Blocked } else { Attempt::Done }
    }

    /// Plans what follows from what was done; gives the outcomes of each batch, and whether another process has the file before
    /// there are all.
    fn settle(
        self: &Arc<Self>,
        queue: &mut Queue,
        served: Result<Done, Failure>,
        batches: &[&[Operation<'_>]],
    ) -> (Vec<Outcomes>, bool) {
        match served {
            Ok(done) => {
                self.plan(queue, &done);
                (done.outcomes, done.is_blocked)
            }
            Err(Failure::Busy) => (batches.iter().map(|_| Outcomes::new()).collect(), true),
            Err(failure) => (batches.iter().map(|batch| errors(batch, &failure)).collect(), false),
        }
    }

    /// Carries out batches on the open file, or opens it first; says what is open afterwards. A panic is an outage like any
    /// other: it closes the file, which ends the transaction, and those who wait for the connection have it.
    fn serve(
        &self,
        opened: Taken,
        batches: &[&[Operation<'_>]],
        is_wanted: impl Fn(usize) -> bool,
    ) -> (Option<Box<Opened>>, Result<Done, Failure>) {
        catch_unwind(AssertUnwindSafe(|| self.serve_on(opened, batches, is_wanted))).unwrap_or_else(|_| {
            let what = "the store panicked; what was asked may or may not count";
            (None, Err(Failure::Unknown(Error::new(ErrorKind::Unknown, what))))
        })
    }

    fn serve_on(
        &self,
        Taken(opened): Taken,
        batches: &[&[Operation<'_>]],
        is_wanted: impl Fn(usize) -> bool,
    ) -> (Option<Box<Opened>>, Result<Done, Failure>) {
        let usable = opened.and_then(|mut opened| (!opened.is_gone()).then_some(opened));
        let mut opened = match usable {
            Some(opened) => opened,
            None => match Opened::open(&self.path, &self.host) {
                Ok(opened) => Box::new(opened),
                Err(failure) => return (None, Err(failure)),
            },
        };
        let served = opened.serve(batches, is_wanted);
        ((!opened.is_suspect).then_some(opened), served)
    }

    fn plan(self: &Arc<Self>, queue: &mut Queue, done: &Done) {
        let pause = done.idle_in.map(|micros| Self::SWEEP_PAUSE.saturating_add(Duration::from_micros(micros)));
        if pause.is_some_and(|pause| queue.sweep_in(pause)) {
            self.call_helper(queue);
        }
    }

    /// Has the helper look for what there is to do. Says whether it does: the system may give no thread.
    fn call_helper(self: &Arc<Self>, queue: &mut Queue) -> bool {
        if let Some(bell) = &queue.bell {
            if std::mem::take(&mut queue.is_helper_asleep) {
                bell.ring();
            }
            return true;
        }
        let (file, bell) = (Arc::clone(self), Arc::<Bell>::default());
        let own = Arc::clone(&bell);
        let started = start_thread(c"scupper-sqlite", move || file.help(&own));
        queue.bell = started.is_ok().then_some(bell);
        started.is_ok()
    }
}

/// Answers those whose turn never comes.
pub(super) fn turn_away(jobs: Vec<Job>, why: &'static str) {
    let section = Section::enter();
    let wakers: Vec<_> = jobs.into_iter().filter_map(|job| job.turn_away(ErrorKind::Unavailable, why)).collect();
    drop(section);
    wakers.into_iter().for_each(wake);
}
