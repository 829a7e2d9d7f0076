use std::collections::BTreeMap;
use std::future::Future;
use std::task::Waker;
use std::time::Duration;

use crate::error::Result;
use crate::sync::{Arc, Mutex, Weak, lock, thread};
use crate::time::Timestamp;
use crate::timer::contract::{Alarm, Timer};
use crate::timer::signal::block_on;

/// A clock that moves only when it is told to, for tests.
///
/// Clones share one time. Alarms that fall due go off inside [`advance`](Self::advance) and [`set`](Self::set), on the
/// thread that calls them; a blocked thread goes on when another one moves the clock. A timer made by
/// [`auto_advancing`](Self::auto_advancing) moves itself to the next alarm whenever a thread blocks to wait for it, so that
/// a single thread can wait for hours in no time.
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
    /// Alarms that the clock does not move for by itself.
    reminders: BTreeMap<AlarmKey, Waker>,
    asked: u64,
    /// Who would move the clock if there were an alarm to move to.
    idle: Vec<Waker>,
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

    /// A clock that stands at [`Timestamp::ZERO`] and moves to the next alarm whenever a thread blocks to wait for it.
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
        block_on(future, |waker| self.move_on(waker))
    }

    /// When the next alarm goes off, if anyone has set one: a waiting request, say. Those set by
    /// [`remind_at`](Timer::remind_at) do not count.
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

    /// How many alarms are set, by lines of waiting requests. Those set by [`remind_at`](Timer::remind_at) do not count.
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
        let State { now, alarms, reminders, .. } = &mut *state;
        let first = |alarms: &BTreeMap<AlarmKey, Waker>| alarms.first_key_value().map(|(key, _)| *key);
        let comes_first = match (first(alarms), first(reminders)) {
            (Some(alarm), Some(reminder)) if reminder < alarm => reminders,
            (None, Some(_)) => reminders,
            _ => alarms,
        };
        let due = first(comes_first).filter(|(at, _)| at <= now)?;
        comes_first.remove(&due)
    }

    /// Moves the clock to the next alarm, if there is one; if not, `waker` is woken when one is set.
    fn move_on(&self, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        let Some(((at, _), _)) = state.alarms.first_key_value() else {
            if !state.idle.iter().any(|other| other.will_wake(waker)) {
                state.idle.push(waker.clone());
            }
            return false;
        };
        let at = *at;
        drop(state);
        self.go_to(|now| now.max(at));
        true
    }

    fn set_alarm(
        &self,
        at: Timestamp,
        waker: Waker,
        alarms: fn(&mut State) -> &mut BTreeMap<AlarmKey, Waker>,
    ) -> Alarm {
        let mut state = lock(&self.state);
        if at <= state.now && state.going_off == 0 {
            drop(state);
            waker.wake();
            return Alarm::gone_off();
        }
        let key = (at, state.asked);
        state.asked += 1;
        alarms(&mut state).insert(key, waker);
        let idle = if state.alarms.is_empty() { Vec::new() } else { std::mem::take(&mut state.idle) };
        drop(state);
        idle.into_iter().for_each(Waker::wake);
        Alarm::new(CallOff { state: Arc::downgrade(&self.state), key })
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
        Ok(self.set_alarm(at, waker, |state| &mut state.alarms))
    }

    fn remind_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        Ok(self.set_alarm(at, waker, |state| &mut state.reminders))
    }

    fn idle(&self, waker: &Waker) -> bool {
        self.auto_advancing && self.move_on(waker)
    }
}

#[derive(Debug)]
struct CallOff {
    state: Weak<Mutex<State>>,
    key: AlarmKey,
}

impl Drop for CallOff {
    fn drop(&mut self) {
        let Some(state) = self.state.upgrade() else { return };
        let mut state = lock(&state);
        let called_off = (state.alarms.remove(&self.key), state.reminders.remove(&self.key));
        drop(state);
        drop(called_off);
    }
}
