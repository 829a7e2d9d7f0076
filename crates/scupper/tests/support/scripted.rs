use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use scupper::store::{Action, Batch, Operation, Outcomes, Reply, Store, Submission};
use scupper::{Algorithm, Error, ErrorKind, ManualTimer, MemoryStore, Quota, Rates};

use super::operation::{Asked, Kept, Kind};

/// A store that decides like the one in memory, and answers when and how the test says.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    inner: MemoryStore,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    answers: Answers,
    failure: Option<Failure>,
    /// All batches so far.
    batches: Vec<Vec<Asked>>,
    /// Calls that wait to be answered, oldest first.
    waiting: VecDeque<Arc<Mutex<Letter>>>,
}

/// When a call is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answers {
    #[default]
    AtOnce,
    /// Carried out at once, and answered when it is delivered.
    Later,
    /// Carried out when it is delivered.
    CarriedOutLater,
    /// Neither carried out nor answered.
    Never,
}

/// What comes in place of the outcomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    kind: ErrorKind,
    only: Option<Kind>,
    is_carried_out: bool,
}

impl Failure {
    pub(crate) fn kind(self) -> ErrorKind {
        self.kind
    }

    /// Of every operation, none of which is carried out.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        Self { kind, only: None, is_carried_out: false }
    }

    /// Operations are carried out, and nobody is told.
    pub(crate) fn after(kind: ErrorKind) -> Self {
        Self { is_carried_out: true, ..Self::of(kind) }
    }

    /// Of one kind of operation alone.
    pub(crate) fn only_of(self, only: Kind) -> Self {
        Self { only: Some(only), ..self }
    }
}

#[derive(Debug)]
struct Letter {
    operations: Vec<Kept>,
    failure: Option<Failure>,
    outcomes: Option<Outcomes>,
    is_delivered: bool,
    waker: Option<Waker>,
}

struct Reading(Arc<Mutex<Letter>>);

impl Scripted {
    pub(crate) fn new(timer: &ManualTimer) -> Self {
        Self { inner: MemoryStore::builder().timer(timer.clone()).build(), script: Arc::default() }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    pub(crate) fn answer(&self, answers: Answers) {
        self.script().answers = answers;
    }

    pub(crate) fn fail(&self, failure: Failure) {
        self.script().failure = Some(failure);
    }

    pub(crate) fn recover(&self) {
        self.script().failure = None;
    }

    /// Answers the call that has waited longest.
    #[track_caller]
    pub(crate) fn deliver(&self) {
        let letter = self.script().waiting.pop_front();
        self.deliver_this(&letter.unwrap_or_else(|| panic!("no call waits for its answer")));
    }

    /// Answers the call that was made last.
    #[track_caller]
    pub(crate) fn deliver_last(&self) {
        let letter = self.script().waiting.pop_back();
        self.deliver_this(&letter.unwrap_or_else(|| panic!("no call waits for its answer")));
    }

    /// Answers all calls, and those that are made thereupon.
    pub(crate) fn deliver_all(&self) {
        while self.waiting() > 0 {
            self.deliver();
        }
    }

    fn deliver_this(&self, letter: &Mutex<Letter>) {
        let mut letter = letter.lock().unwrap();
        if letter.outcomes.is_none() {
            letter.outcomes = Some(self.outcomes(&letter.operations, letter.failure));
        }
        letter.is_delivered = true;
        let waker = letter.waker.take();
        drop(letter);
        waker.into_iter().for_each(Waker::wake);
    }

    /// How many calls wait for their answer.
    pub(crate) fn waiting(&self) -> usize {
        self.script().waiting.len()
    }

    pub(crate) fn calls(&self) -> usize {
        self.script().batches.len()
    }

    /// How many operations of this kind were asked for.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.script().batches.iter().flatten().filter(|asked| asked.kind == kind).count()
    }

    /// The batch of the last call.
    #[track_caller]
    pub(crate) fn last_batch(&self) -> Vec<Asked> {
        self.script().batches.last().unwrap().clone()
    }

    /// Units in use under the first of these rates, whatever the script says.
    pub(crate) fn used(&self, key: &str, rates: &str) -> u64 {
        let quota = Quota::new(Algorithm::default(), rates.parse::<Rates>().unwrap()).unwrap();
        let look = Operation::new(key, Action::Peek { quota: &quota });
        match self.inner.submit(Batch::from(&look)).wait().remove(0) {
            Ok(Reply::Peeked(snapshot)) => snapshot.usage[0].used,
            other => panic!("{other:?}"),
        }
    }

    /// Takes units as another process would.
    pub(crate) fn take(&self, key: &str, rates: &str, units: u64) {
        let quota = Quota::new(Algorithm::default(), rates.parse::<Rates>().unwrap()).unwrap();
        let _taken = self.inner.submit(Batch::from(&Operation::acquire(key, &quota, units))).wait();
    }

    fn outcomes(&self, operations: &[Kept], failure: Option<Failure>) -> Outcomes {
        let fails = |kept: &Kept| failure.filter(|failure| failure.only.is_none_or(|only| only == kept.asked().kind));
        let is_done = |kept: &&Kept| fails(kept).is_none_or(|failure| failure.is_carried_out);
        let done: Vec<_> = operations.iter().filter(is_done).map(Kept::operation).collect();
        let mut outcomes = self.inner.submit(Batch::new(&done)).wait().into_iter();
        let told = |kept: &Kept| {
            let outcome = is_done(&kept).then(|| outcomes.next().unwrap());
            match fails(kept) {
                Some(failure) => Err(Error::new(failure.kind, "as the script says")),
                None => outcome.unwrap(),
            }
        };
        operations.iter().map(told).collect()
    }
}

impl Store for Scripted {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let operations: Vec<_> = batch.operations().iter().map(Kept::of).collect();
        let mut script = self.script();
        script.batches.push(operations.iter().map(Kept::asked).collect());
        let (answers, failure) = (script.answers, script.failure);
        drop(script);
        let outcomes = match answers {
            Answers::AtOnce => return Submission::Ready(self.outcomes(&operations, failure)),
            Answers::Later => Some(self.outcomes(&operations, failure)),
            Answers::CarriedOutLater | Answers::Never => None,
        };
        let letter = Letter { operations, failure, outcomes, is_delivered: false, waker: None };
        let letter = Arc::new(Mutex::new(letter));
        if answers != Answers::Never {
            self.script().waiting.push_back(Arc::clone(&letter));
        }
        Submission::Pending(Box::pin(Reading(letter)))
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.script).addr()
    }
}

impl Future for Reading {
    type Output = Outcomes;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcomes> {
        let mut letter = self.0.lock().unwrap();
        if letter.is_delivered
            && let Some(outcomes) = letter.outcomes.take()
        {
            return Poll::Ready(outcomes);
        }
        letter.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
