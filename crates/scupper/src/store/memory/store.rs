use std::any::Any;
use std::fmt;

use crate::error::Result;
use crate::quota::Quota;
use crate::store::batch::{Action, Batch, Operation};
use crate::store::contract::{PinnedBucket, Store};
use crate::store::line::Line;
use crate::store::memory::clock::Clock;
use crate::store::memory::handle::Handle;
use crate::store::memory::table::Table;
use crate::store::outcome::{Outcome, Reply, Verdict};
use crate::store::submission::{Outcomes, Submission};
use crate::sync::Arc;
use crate::timer::{SystemTimer, Timer};

/// Buckets in the memory of this process: the default store, and the fastest.
///
/// Clones share their buckets. Buckets that owe nothing leave by themselves within about a second, later only where there
/// are more than 400,000: they are looked for on the timer's thread, in short slices. One that was reset stays for as long as
/// a permit from before could be given back. A bucket that owes anything stays;
/// when [`max_keys`](MemoryStoreBuilder::max_keys) of them do, a request on a new key gets
/// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity).
///
/// It is of one process alone. A child after a fork has a copy, in which a bucket that another thread was deciding on stays
/// locked, and which nobody looks through for idle buckets: make another there.
///
/// Memory: about 130 bytes and the key for each bucket; under the sliding window log 8 bytes more for each admission in
/// the longest window, 16 where weights other than 1 are used.
///
/// # Examples
/// ```
/// use scupper::{Limiter, MemoryStore, Rate};
///
/// let store = MemoryStore::builder().max_keys(10_000).build();
/// let limiter = Limiter::builder().rate(Rate::per_second(5)?).store(store.clone()).build()?;
/// assert!(limiter.try_acquire("user:42")?.is_admitted());
/// assert_eq!(store.len(), 1);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    table: Arc<Table>,
}

/// Sets up a [`MemoryStore`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct MemoryStoreBuilder {
    clock: Option<Clock>,
    max_keys: u64,
}

impl MemoryStore {
    /// How many keys a store holds unless another maximum is set.
    pub const DEFAULT_MAX_KEYS: u64 = 1_000_000;

    /// An empty store on the system's monotonic clock.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Sets up a store.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder { clock: None, max_keys: Self::DEFAULT_MAX_KEYS }
    }

    /// How many keys have a bucket now.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.table.len()).unwrap_or(usize::MAX)
    }

    /// Whether no key has a bucket.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decides on one unit for a key, if that takes nothing but looking at its bucket; if not, ask
    /// [`submit`](Store::submit).
    pub(crate) fn acquire_one(&self, key: &str, quota: &Quota) -> Option<Verdict> {
        self.table.acquire_one(key, quota)
    }

    fn decide(&self, operation: &Operation<'_>) -> Outcome {
        if let Action::List { after, most } = operation.action {
            return Ok(Reply::Listed(self.table.list(operation.key, after, most)));
        }
        let outcome = self.table.with(operation.key, operation.quota(), |bucket, now| bucket.apply(operation, now))?;
        if operation.gives_back() {
            self.table.hasten(operation.key);
        }
        outcome.unwrap_or_else(|| operation.without_bucket())
    }

    fn decide_run<'a>(&self, run: &'a [Operation<'a>], line: &mut Line<'a>, outcomes: &mut Outcomes) {
        let [first, _, ..] = run else {
            return outcomes.extend(run.iter().map(|operation| line.pass(operation, || self.decide(operation))));
        };
        let quota = run.iter().find_map(Operation::quota);
        let (begin, line_before) = (outcomes.len(), line.denied(first.key));
        let done = self.table.with(first.key, quota, |bucket, now| {
            outcomes.truncate(begin);
            line.restore(first.key, line_before);
            for operation in run {
                outcomes.push(line.pass(operation, || bucket.apply(operation, now)));
            }
        });
        match done {
            Ok(Some(())) if run.iter().any(Operation::gives_back) => self.table.hasten(first.key),
            Ok(Some(())) => {}
            Ok(None) => outcomes.extend(run.iter().map(Operation::without_bucket)),
            Err(error) => {
                outcomes.truncate(begin);
                // One by one, so that those that need no room have their answers.
                let alone = |operation: &Operation<'_>| {
                    if operation.needs_room() { Err(error.again()) } else { self.decide(operation) }
                };
                outcomes.extend(run.iter().map(alone));
            }
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &self.len()).finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    #[inline]
    fn submit(&self, batch: Batch<'_>) -> Submission {
        if let [operation] = batch.operations() {
            return Submission::ready(self.decide(operation));
        }
        let (mut line, mut outcomes) = (Line::default(), Outcomes::new());
        batch.runs().for_each(|run| self.decide_run(run, &mut line, &mut outcomes));
        Submission::Ready(outcomes)
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.table).addr()
    }

    fn pin(&self, key: &str, quota: &Quota) -> Result<Option<Arc<dyn PinnedBucket>>> {
        let (bucket, hash) = self.table.pin(key, quota)?;
        Ok(Some(Arc::new(Handle::new(bucket, &self.table, hash))))
    }
}

impl MemoryStoreBuilder {
    /// The clock to decide on, and the thread that looks for idle buckets; by default a [`SystemTimer`].
    pub fn timer(self, timer: impl Timer) -> Self {
        self.shared_timer(Arc::new(timer))
    }

    /// The same for a timer that is shared with others already.
    pub fn shared_timer(mut self, timer: Arc<dyn Timer>) -> Self {
        let any: &dyn Any = &*timer;
        let system = any.downcast_ref().cloned().map(Clock::System);
        self.clock = Some(system.unwrap_or(Clock::Other(timer)));
        self
    }

    /// How many keys may have a bucket at once, [`MemoryStore::DEFAULT_MAX_KEYS`] unless set.
    pub fn max_keys(mut self, max_keys: u64) -> Self {
        self.max_keys = max_keys;
        self
    }

    /// The store.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        let clock = self.clock.unwrap_or_else(|| Clock::System(SystemTimer::new()));
        MemoryStore { table: Arc::new(Table::new(clock, self.max_keys)) }
    }
}
