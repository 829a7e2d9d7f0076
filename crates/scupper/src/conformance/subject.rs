use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::conformance::driver::{Driven, block_on};
use crate::conformance::fixture::{Fixture, Mode, Opened};
use crate::decision::{Decision, Detailed};
use crate::error::Result;
use crate::limiter::{Limiter, Request};
use crate::permit::Permit;
use crate::quota::Quota;
use crate::store::{Action, Batch, Operation, Outcome, Page, Reply, Snapshot, Verdict};
use crate::time::Timestamp;
use crate::timer::{SystemTimer, Timer};

/// A store under a check, and the way in which the check asks it.
#[derive(Debug)]
pub struct Subject {
    opened: Opened,
    mode: Mode,
    keys: AtomicU64,
}

impl Subject {
    /// Opens a store for a check.
    pub fn open(fixture: &impl Fixture, mode: Mode) -> Self {
        Self { opened: fixture.open(), mode, keys: AtomicU64::new(0) }
    }

    pub(super) fn is_on_manual_time(&self) -> bool {
        self.opened.timer.is_some()
    }

    /// A key that nobody has used.
    pub(super) fn fresh_key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Has the store carry out a batch.
    pub(super) fn submit(&self, operations: &[Operation<'_>]) -> Vec<Outcome> {
        let submission = self.opened.store.submit(Batch::new(operations));
        let outcomes = match self.mode {
            Mode::Blocking => submission.wait(),
            Mode::Asynchronous => block_on(submission.into_future()),
        };
        assert_eq!(outcomes.len(), operations.len(), "one outcome an operation: {outcomes:?} to {operations:?}");
        outcomes.into_vec()
    }

    /// Has the store carry out one operation, which must succeed.
    pub(super) fn reply(&self, operation: &Operation<'_>) -> Reply {
        let outcome = self.submit(std::slice::from_ref(operation)).remove(0);
        outcome.unwrap_or_else(|error| panic!("{operation:?} failed: {error}"))
    }

    pub(super) fn acquire(&self, operation: &Operation<'_>) -> Verdict {
        match self.reply(operation) {
            Reply::Acquired(verdict) => verdict,
            other => panic!("{other:?} is no answer to {operation:?}"),
        }
    }

    pub(super) fn look(&self, key: &str, quota: &Quota, at: Option<Timestamp>) -> Snapshot {
        match self.reply(&Operation { key, at, action: Action::Peek { quota } }) {
            Reply::Peeked(snapshot) => snapshot,
            other => panic!("{other:?} is no answer to a peek"),
        }
    }

    /// All keys in the store that begin with this and owe something, sorted.
    pub(super) fn list(&self, prefix: &str, most: usize) -> Vec<String> {
        let (mut keys, mut page) = (Vec::new(), Page::default());
        for _ in 0..100_000 {
            let after = page.next.clone();
            match self.reply(&Operation::new(prefix, Action::List { after: after.as_ref(), most })) {
                Reply::Listed(next) => page = next,
                other => panic!("{other:?} is no answer to a list"),
            }
            assert!(page.keys.len() <= most, "a page has at most {most} keys: {page:?}");
            keys.append(&mut page.keys);
            if page.next.is_none() {
                keys.sort();
                return keys;
            }
        }
        panic!("the list does not end");
    }

    /// How many buckets the store keeps; if it does not say, how many owe something.
    pub(super) fn count(&self) -> usize {
        self.opened.count.as_ref().map_or_else(|| self.list("", 100).len(), |count| count())
    }

    /// The store's time.
    pub(super) fn now(&self, quota: &Quota) -> Timestamp {
        self.look("what time is it", quota, None).now
    }

    /// Lets time pass on the store's clock.
    pub(super) fn let_pass(&self, duration: Duration) {
        match &self.opened.timer {
            Some(timer) => timer.advance(duration),
            None => thread::sleep(duration),
        }
    }

    /// Lets time pass until this holds, for as long as an idle bucket may stay; says whether it does.
    pub(super) fn passes_until(&self, mut holds: impl FnMut() -> bool) -> bool {
        const STEPS: u32 = 50;
        for _ in 0..=STEPS {
            if holds() {
                return true;
            }
            self.let_pass(self.opened.leaving_within / STEPS);
        }
        holds()
    }

    /// A limiter on the store. Who waits for it moves a manual clock.
    pub(super) fn limiter(&self, quota: &Quota) -> Limiter {
        match &self.opened.timer {
            Some(timer) => self.limiter_with(quota, Driven(timer.clone())),
            None => self.limiter_with(quota, SystemTimer::new()),
        }
    }

    /// A limiter on the store. Who waits for it moves nothing.
    pub(super) fn limiter_at_rest(&self, quota: &Quota) -> Limiter {
        match &self.opened.timer {
            Some(timer) => self.limiter_with(quota, timer.clone()),
            None => self.limiter_with(quota, SystemTimer::new()),
        }
    }

    fn limiter_with(&self, quota: &Quota, timer: impl Timer) -> Limiter {
        let rates = quota.rates().iter().copied();
        // Without what a limiter knows by itself: it is the store that is checked.
        let builder = Limiter::builder().algorithm(quota.algorithm()).rates(rates).denial_cache(Duration::ZERO);
        builder.shared_store(Arc::clone(&self.opened.store)).timer(timer).build().unwrap()
    }

    pub(super) fn try_now<'a>(&self, request: Request<'a>) -> Result<Decision<'a>> {
        match self.mode {
            Mode::Blocking => request.try_acquire(),
            Mode::Asynchronous => block_on(request.try_acquire_async()),
        }
    }

    pub(super) fn wait_for<'a>(&self, request: Request<'a>) -> Result<Permit<'a>> {
        match self.mode {
            Mode::Blocking => request.acquire(),
            Mode::Asynchronous => block_on(request.acquire_async()),
        }
    }

    pub(super) fn detail<'a>(&self, request: Request<'a>) -> Result<Detailed<'a>> {
        match self.mode {
            Mode::Blocking => request.detailed(),
            Mode::Asynchronous => block_on(request.detailed_async()),
        }
    }

    pub(super) fn peek(&self, limiter: &Limiter, key: &str) -> Snapshot {
        match self.mode {
            Mode::Blocking => limiter.peek(key),
            Mode::Asynchronous => block_on(limiter.peek_async(key)),
        }
        .unwrap()
    }

    pub(super) fn refund(&self, limiter: &Limiter, permit: Permit<'_>) -> u64 {
        match self.mode {
            Mode::Blocking => limiter.refund(permit),
            Mode::Asynchronous => block_on(limiter.refund_async(permit)),
        }
        .unwrap()
    }
}

/// Fails if this takes longer than what anyone would call at once.
pub(super) fn at_once<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    assert!(start.elapsed() < Duration::from_secs(30), "took {:?}", start.elapsed());
    done
}
