use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::attempt::{Attempt, Step};
use crate::decision::{Decision, Permit};
use crate::error::{Error, ErrorKind, Result};
use crate::limiter::answer::{Answer, unexpected, verdict};
use crate::limiter::shortcut::Shortcut;
use crate::quota::Quota;
use crate::rate::Rate;
use crate::route::{Route, Routed};
use crate::store::{Action, Batch, MemoryStore, Operation, Outcomes, Reply, Snapshot, Store, Verdict};
use crate::sync::Arc;
use crate::time::Timestamp;
use crate::timer::{Sleep, Timer};

/// What all clones of a limiter share.
pub(super) struct Core {
    pub(super) route: Route,
    pub(super) store: Arc<dyn Store>,
    /// The store once more if it is the one of this process: known to the compiler, it decides in half the time.
    pub(super) memory: Option<MemoryStore>,
    pub(super) timer: Arc<dyn Timer>,
}

/// A bucket that a request goes to, and what it asks for.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) quota: Cow<'a, Quota>,
    pub(super) shortcut: Option<&'a Shortcut>,
    pub(super) weight: u64,
    pub(super) at: Option<Timestamp>,
}

impl<'a> Ask<'a> {
    #[inline]
    pub(super) fn new(routed: Routed<'a>, weight: u64) -> Self {
        Self { key: routed.key, quota: routed.quota, shortcut: None, weight, at: None }
    }

    fn operation(&self) -> Operation<'_> {
        Operation { at: self.at, ..Operation::acquire(&self.key, &self.quota, self.weight) }
    }

    #[inline]
    pub(super) fn decision(self, verdict: &Verdict) -> Decision<'a> {
        Decision::new(verdict, self.key, &self.quota, self.weight)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { route, store, timer, .. } = self;
        f.debug_struct("Core").field("route", route).field("store", store).field("timer", timer).finish_non_exhaustive()
    }
}

impl Core {
    /// Asks the store whether this is admitted now.
    #[inline]
    pub(super) fn check(&self, ask: &Ask<'_>) -> Answer<Verdict> {
        if let Err(error) = check_weight(ask.weight) {
            return Answer::Ready(Err(error));
        }
        match ask.shortcut {
            Some(shortcut) if ask.at.is_none() => Answer::Ready(shortcut.acquire(&ask.quota, ask.weight)),
            _ => Answer::Submitted(self.store.submit(Batch::from(&ask.operation())), verdict),
        }
    }

    /// Asks the store whether this is admitted now, and how the bucket is then.
    pub(super) fn check_detailed(&self, ask: &Ask<'_>) -> Answer<(Verdict, Snapshot)> {
        if let Err(error) = check_weight(ask.weight) {
            return Answer::Ready(Err(error));
        }
        let look = Operation { action: Action::Peek { quota: &ask.quota }, ..ask.operation() };
        Answer::Submitted(self.store.submit(Batch::new(&[ask.operation(), look])), verdict_and_snapshot)
    }

    /// Waits for a permit, blocking.
    pub(super) fn acquire<'a>(&self, ask: Ask<'a>, timeout: Option<Duration>) -> Result<Permit<'a>> {
        let started = self.timer.now();
        let mut attempt = Attempt::new(&ask.quota, ask.weight, started, timeout);
        let admission = loop {
            match attempt.step() {
                Step::Check => {
                    let verdict = self.check(&self.later(&ask, started)).wait();
                    attempt.checked(self.timer.now(), verdict);
                }
                Step::Sleep(until) => self.timer.sleep_until(until)?,
                Step::Finish(admission) => break admission?,
            }
        };
        Ok(Permit::new(ask.key, admission))
    }

    /// Waits for a permit, on any executor.
    pub(super) async fn acquire_async<'a>(&self, ask: Ask<'a>, timeout: Option<Duration>) -> Result<Permit<'a>> {
        let started = self.timer.now();
        let mut attempt = Attempt::new(&ask.quota, ask.weight, started, timeout);
        let admission = loop {
            match attempt.step() {
                Step::Check => {
                    let verdict = self.check(&self.later(&ask, started)).get().await;
                    attempt.checked(self.timer.now(), verdict);
                }
                Step::Sleep(until) => Sleep::until(&*self.timer, until).await?,
                Step::Finish(admission) => break admission?,
            }
        };
        Ok(Permit::new(ask.key, admission))
    }

    /// The same request now: a time that the caller brought goes on with the limiter's timer while it waits.
    fn later<'b>(&self, ask: &'b Ask<'_>, started: Timestamp) -> Ask<'b> {
        Ask {
            key: Cow::Borrowed(&ask.key),
            quota: Cow::Borrowed(&ask.quota),
            shortcut: ask.shortcut,
            weight: ask.weight,
            at: ask.at.map(|at| at + self.timer.now().since(started)),
        }
    }

    /// Has the store carry out one operation.
    pub(super) fn submit<T>(&self, operation: &Operation<'_>, read: fn(Outcomes) -> Result<T>) -> Answer<T> {
        Answer::Submitted(self.store.submit(Batch::from(operation)), read)
    }
}

#[inline]
pub(super) fn check_weight(weight: u64) -> Result<()> {
    if (1..=Rate::MAX_LIMIT).contains(&weight) { Ok(()) } else { Err(wrong_weight(weight)) }
}

#[cold]
fn wrong_weight(weight: u64) -> Error {
    Error::new(
        ErrorKind::InvalidRequest,
        format!("the weight is {weight}; it must be at least 1 and at most {}", Rate::MAX_LIMIT),
    )
}

fn verdict_and_snapshot(outcomes: Outcomes) -> Result<(Verdict, Snapshot)> {
    let mut outcomes = outcomes.into_iter();
    let mut next = || outcomes.next().unwrap_or_else(|| Err(unexpected("nothing")));
    match (next()?, next()?) {
        (Reply::Acquired(verdict), Reply::Peeked(snapshot)) => Ok((verdict, snapshot)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}
