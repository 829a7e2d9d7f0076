use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::error::Result;
use crate::sync::{Arc, Mutex, Weak, lock};
use crate::time::Timestamp;
use crate::timer::contract::{Alarm, Timer, block_until};
use crate::timer::signal::ThreadSignal;

/// A clock that moves only when it is told to, for tests.
///
/// Clones share one time. Alarms that fall due go off inside [`advance`](Self::advance) and [`set`](Self::set), on the
/// thread that calls them; a blocking sleep ends when another thread moves the clock. A timer made by
/// [`auto_advancing`](Self::auto_advancing) moves itself to the end of every blocking sleep, so that a single thread
/// can wait for hours in no time.
///
/// # Examples
/// ```
/// use scupper::{ManualTimer, Timer};
/// use std::time::Duration;
///
/// let timer = ManualTimer::auto_advancing();
/// timer.sleep_until(timer.now() + Duration::from_secs(3600))?;
/// assert_eq!(timer.now().as_micros(), 3_600_000_000);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualTimer {
    state: Arc<Mutex<State>>,
    auto_advancing: bool,
}

#[derive(Debug, Default)]
struct State {
    now: Timestamp,
    alarms: BTreeMap<AlarmKey, Waker>,
    asked: u64,
    /// How many calls let alarms go off now: one that is set meanwhile and due at once waits for its turn.
    going_off: usize,
}

type AlarmKey = (Timestamp, u64);

impl ManualTimer {
    /// A clock that stands at [`Timestamp::ZERO`].
    ///
    /// # Examples
    /// ```
    /// use scupper::{ManualTimer, Timer, Timestamp};
    ///
    /// assert_eq!(ManualTimer::new().now(), Timestamp::ZERO);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock that stands at [`Timestamp::ZERO`] and moves to the end of every blocking sleep.
    ///
    /// # Examples
    /// ```
    /// use scupper::{Limiter, ManualTimer, Timer};
    ///
    /// let timer = ManualTimer::auto_advancing();
    /// let limiter = Limiter::builder().rates(["1/d".parse()?]).timer(timer.clone()).build()?;
    /// limiter.acquire("user:42")?;
    /// limiter.acquire("user:42")?;
    /// assert_eq!(timer.now().to_string(), "86400.000001s");
    /// # Ok::<(), scupper::Error>(())
    /// ```
    #[must_use]
    pub fn auto_advancing() -> Self {
        Self { auto_advancing: true, ..Self::default() }
    }

    /// Moves the clock forward and lets alarms go off that fall due.
    ///
    /// # Examples
    /// ```
    /// use scupper::{Limiter, ManualTimer};
    /// use std::time::Duration;
    ///
    /// let timer = ManualTimer::new();
    /// let limiter = Limiter::builder().rates(["1/h".parse()?]).timer(timer.clone()).build()?;
    /// assert!(limiter.try_acquire("user:42")?.is_admitted());
    /// timer.advance(Duration::from_hours(1));
    /// assert!(!limiter.try_acquire("user:42")?.is_admitted());
    /// timer.advance(Duration::from_micros(1));
    /// assert!(limiter.try_acquire("user:42")?.is_admitted());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn advance(&self, by: Duration) {
        self.go_to(|now| now + by);
    }

    /// Sets the clock, back too, and lets alarms go off that are due then.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ManualTimer, Timer, Timestamp};
    ///
    /// let timer = ManualTimer::new();
    /// timer.set(Timestamp::from_micros(7));
    /// timer.set(Timestamp::from_micros(3));
    /// assert_eq!(timer.now().as_micros(), 3);
    /// ```
    pub fn set(&self, now: Timestamp) {
        self.go_to(|_| now);
    }

    /// Runs a future to its end, and moves the clock from alarm to alarm while it waits. Once there is no alarm any
    /// more, it waits for whatever else wakes the future.
    ///
    /// # Examples
    /// ```
    /// use scupper::{Limiter, ManualTimer, Timer};
    ///
    /// let timer = ManualTimer::new();
    /// let limiter = Limiter::builder().rates(["1/h".parse()?]).timer(timer.clone()).build()?;
    /// let _first = limiter.acquire("user:42")?;
    /// timer.block_on(limiter.acquire_async("user:42"))?;
    /// assert_eq!(timer.now().as_micros(), 3_600_000_001);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let signal = ThreadSignal::for_this_thread();
        let waker = Waker::from(Arc::clone(&signal));
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            while !signal.is_woken() {
                match self.next_alarm() {
                    Some(at) => self.set(at),
                    None => break,
                }
            }
            signal.wait();
        }
    }

    /// When the next alarm goes off, if anyone has set one: a waiting request, or a store that looks for idle buckets.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ManualTimer, Timer, Timestamp};
    /// use std::task::Waker;
    ///
    /// let timer = ManualTimer::new();
    /// let at = Timestamp::from_micros(5);
    /// let _alarm = timer.wake_at(at, Waker::noop().clone())?;
    /// assert_eq!(timer.next_alarm(), Some(at));
    /// # Ok::<(), scupper::Error>(())
    /// ```
    #[must_use]
    pub fn next_alarm(&self) -> Option<Timestamp> {
        lock(&self.state).alarms.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many alarms are set, by waiting requests and by stores.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ManualTimer, Timer, Timestamp};
    /// use std::task::Waker;
    ///
    /// let timer = ManualTimer::new();
    /// let _alarm = timer.wake_at(Timestamp::from_micros(5), Waker::noop().clone())?;
    /// assert_eq!(timer.alarms(), 1);
    /// timer.set(Timestamp::from_micros(5));
    /// assert_eq!(timer.alarms(), 0);
    /// # Ok::<(), scupper::Error>(())
    /// ```
    #[must_use]
    pub fn alarms(&self) -> usize {
        lock(&self.state).alarms.len()
    }

    /// Moves the clock in one step, whoever else does, and lets alarms go off that are due then.
    fn go_to(&self, time: impl FnOnce(Timestamp) -> Timestamp) {
        let mut state = lock(&self.state);
        state.now = time(state.now);
        state.going_off += 1;
        drop(state);
        let _going_off = GoingOff(self);
        while let Some(waker) = self.next_due() {
            waker.wake();
        }
    }

    fn next_due(&self) -> Option<Waker> {
        let mut state = lock(&self.state);
        let now = state.now;
        state.alarms.first_entry().filter(|first| first.key().0 <= now).map(OccupiedEntry::remove)
    }
}

/// Alarms go off until this is dropped, also by a waker that panics.
struct GoingOff<'a>(&'a ManualTimer);

impl Drop for GoingOff<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.going_off -= 1;
        let is_last = state.going_off == 0 && !thread::panicking();
        drop(state);
        // What was set since the last look, while it seemed that somebody would look again.
        while let Some(waker) = is_last.then(|| self.0.next_due()).flatten() {
            waker.wake();
        }
    }
}

impl Timer for ManualTimer {
    fn now(&self) -> Timestamp {
        lock(&self.state).now
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        let mut state = lock(&self.state);
        if at <= state.now && state.going_off == 0 {
            drop(state);
            waker.wake();
            return Ok(Alarm::gone_off());
        }
        let key = (at, state.asked);
        state.asked += 1;
        state.alarms.insert(key, waker);
        Ok(Alarm::new(CallOff { state: Arc::downgrade(&self.state), key }))
    }

    fn sleep_until(&self, at: Timestamp) -> Result<()> {
        if self.auto_advancing {
            self.go_to(|now| now.max(at));
            return Ok(());
        }
        block_until(self, at)
    }
}

#[derive(Debug)]
struct CallOff {
    state: Weak<Mutex<State>>,
    key: AlarmKey,
}

impl Drop for CallOff {
    fn drop(&mut self) {
        let called_off = self.state.upgrade().and_then(|state| lock(&state).alarms.remove(&self.key));
        drop(called_off);
    }
}
