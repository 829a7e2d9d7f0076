//! One file of this process: who carries out what, and when.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::store::batch::{Batch, Operation};
use crate::store::host_clock::Host;
use crate::store::sqlite::bell::Bell;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::gate::Section;
use crate::store::sqlite::job::{Answer, Job};
use crate::store::sqlite::opened::Opened;
use crate::store::sqlite::place::FileId;
use crate::store::sqlite::queue::{Queue, Taken};
use crate::store::sqlite::transaction::{Done, takes_nothing};
use crate::store::submission::Outcomes;
use crate::sync::{Arc, Mutex, lock, thread};
use crate::timer::wake;

/// A file, and who waits for it. One at a time has the connection. Who finds it free carries out what it came for itself, and
/// then what others have asked for meanwhile, all that waits in one transaction.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    host: Arc<dyn Host>,
    pub(super) queue: Mutex<Queue>,
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
        Arc::new(Self { path, host, queue: Mutex::new(Queue::new()) })
    }

    /// Opens the file if it is not open; says which it is.
    pub(super) fn open(self: &Arc<Self>) -> Result<Option<FileId>, Failure> {
        let _section = Section::enter();
        let Some(opened) = lock(&self.queue).take() else { return Ok(None) };
        let (opened, served) = self.serve(opened, &[]);
        let id = opened.as_ref().map(|opened| opened.id());
        let mut queue = lock(&self.queue);
        queue.give_back(opened);
        if served.is_ok() && queue.sweep_in(Self::SWEEP_PAUSE) {
            self.call_helper(&mut queue);
        }
        served.map(|_| id)
    }

    /// Has a batch carried out: at once if nobody has the file, or else soon.
    pub(super) fn submit(self: &Arc<Self>, batch: Batch<'_>, timeout: Duration) -> Submitted {
        let section = Section::enter();
        let mut queue = lock(&self.queue);
        let is_first = queue.jobs.is_empty() && !queue.is_blocked && queue.is_free();
        let is_for_the_helper = is_first && queue.crowd.is_awaited() && self.call_helper(&mut queue);
        let Some(opened) = (is_first && !is_for_the_helper).then(|| queue.take()).flatten() else {
            if queue.is_full() {
                let full = Error::new(ErrorKind::Unavailable, "too many requests wait for the file of the store");
                return Submitted::Done(errors(batch.operations(), &Failure::NotDone(full)));
            }
            let (job, answer) = Job::new(batch, timeout);
            queue.jobs.push_back(job);
            return Submitted::Waits(answer);
        };
        drop(queue);
        let (opened, served) = self.serve(opened, &[batch.operations()]);
        let mut queue = lock(&self.queue);
        queue.give_back(opened);
        queue.crowd.went(batch.operations().len());
        let submitted = match served {
            Ok(done) => {
                self.plan(&mut queue, &done);
                Submitted::Done(done.outcomes.into_iter().flatten().collect())
            }
            Err(Failure::Busy) => {
                if !self.call_helper(&mut queue) {
                    return Submitted::Done(errors(batch.operations(), &Failure::Busy));
                }
                let (job, answer) = Job::new(batch, timeout);
                queue.jobs.push_front(job);
                queue.is_blocked = true;
                return Submitted::Waits(answer);
            }
            Err(failure) => Submitted::Done(errors(batch.operations(), &failure)),
        };
        let others_wait = !queue.jobs.is_empty();
        drop(queue);
        drop(section);
        if others_wait {
            self.help_others();
        }
        submitted
    }

    /// Carries out what others wait for. Where it does not end, the helper goes on.
    fn help_others(self: &Arc<Self>) {
        for _ in 0..Self::ROUNDS {
            if self.attempt(false) != Attempt::Done {
                return;
            }
        }
        let _section = Section::enter();
        let mut queue = lock(&self.queue);
        if !queue.jobs.is_empty() {
            self.call_helper(&mut queue);
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
        let (opened, served) = self.serve(opened, &batches);
        let mut queue = lock(&self.queue);
        queue.give_back(opened);
        queue.crowd.went(jobs.iter().map(Job::size).sum());
        queue.is_blocked = matches!(served, Err(Failure::Busy));
        let outcomes = match served {
            Ok(done) => {
                self.plan(&mut queue, &done);
                done.outcomes
            }
            Err(Failure::Busy) => {
                drop(batches);
                drop(operations);
                queue.put_back(jobs);
                queue.is_blocked = self.call_helper(&mut queue);
                return Attempt::Blocked;
            }
            Err(failure) => batches.iter().map(|batch| errors(batch, &failure)).collect(),
        };
        drop(queue);
        drop(batches);
        drop(operations);
        let wakers: Vec<_> =
            jobs.into_iter().zip(outcomes).filter_map(|(job, outcomes)| job.answer(outcomes)).collect();
        drop(section);
        wakers.into_iter().for_each(wake);
        Attempt::Done
    }

    /// Carries out batches on the open file, or opens it first; says what is open afterwards.
    fn serve(
        &self,
        Taken(opened): Taken,
        batches: &[&[Operation<'_>]],
    ) -> (Option<Box<Opened>>, Result<Done, Failure>) {
        let usable = opened.and_then(|mut opened| (!opened.is_gone()).then_some(opened));
        let mut opened = match usable {
            Some(opened) => opened,
            None => match Opened::open(&self.path, &self.host) {
                Ok(opened) => Box::new(opened),
                Err(failure) => return (None, Err(failure)),
            },
        };
        let served = opened.serve(batches);
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
        let started = thread::Builder::new().name("scupper-sqlite".into()).spawn(move || file.help(&own));
        queue.bell = started.is_ok().then_some(bell);
        started.is_ok()
    }
}

fn errors(operations: &[Operation<'_>], failure: &Failure) -> Outcomes {
    operations.iter().map(|operation| Err(failure.error(takes_nothing(operation)))).collect()
}
