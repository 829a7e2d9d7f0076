use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::store::Store;
use crate::timer::ManualTimer;

/// Makes stores to check. Any function that returns an [`Opened`] is one.
///
/// # Examples
/// ```
/// use scupper::MemoryStore;
/// use scupper::conformance::{Fixture, Opened};
///
/// struct Memory;
///
/// impl Fixture for Memory {
///     fn open(&self) -> Opened {
///         Opened::new(MemoryStore::new())
///     }
/// }
/// ```
pub trait Fixture {
    /// A store of its own for one check: empty, and reached by nobody else.
    ///
    /// Where a server is shared, that is a namespace, a schema or a database of its own. A server that cannot be
    /// reached is a panic whose message says how to start one.
    fn open(&self) -> Opened;
}

impl<F: Fn() -> Opened> Fixture for F {
    fn open(&self) -> Opened {
        self()
    }
}

/// A store that is being checked, and what the checks must know of its surroundings.
///
/// | told by | it means | unless told |
/// |---|---|---|
/// | [`on`](Self::on) | the store's clock is this manual one, and the checks move it | the clock is real: checks wait |
/// | [`leaving_within`](Self::leaving_within) | how soon a bucket that owes nothing is gone | 5 s |
/// | [`counting`](Self::counting) | how many buckets the store keeps in truth, idle ones too | only `List` is asked: that idle buckets leave is not checked |
/// | [`guarded_by`](Self::guarded_by) | what must live as long as the store: a server, a folder, a runtime | nothing |
///
/// # Examples
/// ```
/// use scupper::conformance::Opened;
/// use scupper::{ManualTimer, MemoryStore};
///
/// let timer = ManualTimer::new();
/// let store = MemoryStore::builder().timer(timer.clone()).build();
/// let inside = store.clone();
/// let opened = Opened::new(store).on(timer).counting(move || inside.len());
/// ```
#[must_use = "an opened store waits to be checked"]
pub struct Opened {
    pub(super) store: Arc<dyn Store>,
    pub(super) timer: Option<ManualTimer>,
    pub(super) leaving_within: Duration,
    pub(super) count: Option<Box<dyn Fn() -> usize + Send + Sync>>,
    /// Last, so that the store is gone before what it stands on.
    _guard: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Opened {
    /// This store, on a real clock.
    pub fn new(store: impl Store) -> Self {
        Self::shared(Arc::new(store))
    }

    /// The same for a store that is shared already.
    pub fn shared(store: Arc<dyn Store>) -> Self {
        Self { store, timer: None, leaving_within: Duration::from_secs(5), count: None, _guard: Mutex::new(None) }
    }

    /// The store reads its time from this clock, and does its housekeeping by its alarms.
    ///
    /// # Examples
    /// How a store comes to look for idle buckets by itself: it sets an alarm, and each sweep sets the next one.
    /// ```
    /// use std::collections::BTreeMap;
    /// use std::sync::{Arc, Mutex, Weak};
    /// use std::task::{Wake, Waker};
    /// use std::time::Duration;
    ///
    /// use scupper::{Alarm, ManualTimer, Timer, Timestamp};
    ///
    /// struct Kept {
    ///     timer: Arc<dyn Timer>,
    ///     idle_from: Mutex<BTreeMap<String, Timestamp>>,
    ///     alarm: Mutex<Option<Alarm>>,
    /// }
    ///
    /// /// The timer keeps it until it rings, and it must not keep the store.
    /// struct Sweeper(Weak<Kept>);
    ///
    /// impl Wake for Sweeper {
    ///     fn wake(self: Arc<Self>) {
    ///         if let Some(kept) = self.0.upgrade() {
    ///             kept.sweep();
    ///         }
    ///     }
    /// }
    ///
    /// impl Kept {
    ///     fn sweep(self: &Arc<Self>) {
    ///         let now = self.timer.now();
    ///         self.idle_from.lock().unwrap().retain(|_, idle_from| *idle_from > now);
    ///         self.set_alarm();
    ///     }
    ///
    ///     /// After each change, too. No lock is held while the timer is asked, as it may ring at once.
    ///     fn set_alarm(self: &Arc<Self>) {
    ///         let next = self.idle_from.lock().unwrap().values().min().copied();
    ///         let sweeper = Waker::from(Arc::new(Sweeper(Arc::downgrade(self))));
    ///         let alarm = next.and_then(|at| self.timer.remind_at(at, sweeper).ok());
    ///         let last = std::mem::replace(&mut *self.alarm.lock().unwrap(), alarm);
    ///         drop(last);
    ///     }
    /// }
    ///
    /// let timer = ManualTimer::new();
    /// let kept = Kept { timer: Arc::new(timer.clone()), idle_from: Mutex::default(), alarm: Mutex::default() };
    /// let kept = Arc::new(kept);
    /// for (key, seconds) in [("user:42", 1), ("user:43", 2)] {
    ///     let idle_from = timer.now() + Duration::from_secs(seconds);
    ///     kept.idle_from.lock().unwrap().insert(key.to_owned(), idle_from);
    ///     kept.set_alarm();
    /// }
    /// timer.advance(Duration::from_secs(1));
    /// assert_eq!(kept.idle_from.lock().unwrap().len(), 1);
    /// timer.advance(Duration::from_secs(1));
    /// assert!(kept.idle_from.lock().unwrap().is_empty());
    /// ```
    pub fn on(mut self, timer: ManualTimer) -> Self {
        self.timer = Some(timer);
        self
    }

    /// A bucket is gone so soon after it last owed anything.
    pub fn leaving_within(mut self, duration: Duration) -> Self {
        self.leaving_within = duration;
        self
    }

    /// How many buckets the store keeps, whether or not they owe anything.
    ///
    /// Without it, that idle buckets leave is not checked, only that they are not listed any more.
    pub fn counting(mut self, count: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.count = Some(Box::new(count));
        self
    }

    /// Keeps this as long as the store, and drops it after the store.
    pub fn guarded_by(self, guard: impl Any + Send) -> Self {
        Self { _guard: Mutex::new(Some(Box::new(guard))), ..self }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("store", &self.store).field("timer", &self.timer).finish_non_exhaustive()
    }
}

/// How a check waits for answers: every check runs both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By blocking: [`Submission::wait`](crate::store::Submission::wait),
    /// [`Limiter::acquire`](crate::Limiter::acquire).
    Blocking,
    /// As futures, on a small executor that knows nothing of any runtime.
    Asynchronous,
}
