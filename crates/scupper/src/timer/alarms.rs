//! The one helper thread of the process: it wakes who asked to be woken, and nothing else.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::fork::{OfProcess, Process, undivided};
use crate::sync::{Arc, Condvar, Mutex, PoisonError, StaticMutex, Weak, lock, lock_static, start_thread};
use crate::timer::contract::Alarm;
use crate::timer::signal::wake;

/// The helper thread as its users see it. It starts with the first alarm and stops when the last user drops this. A child of a
/// fork has one of its own.
#[derive(Debug)]
pub(super) struct AlarmThread {
    shared: OfProcess<Arc<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What is to be woken, by time and then by the order of asking.
    alarms: BTreeMap<AlarmKey, Waker>,
    asked: u64,
    running: bool,
    closed: bool,
    rest: Rest,
}

/// What the thread does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    /// It is about to look at the alarms.
    #[default]
    Awake,
    /// It sleeps, for as long as nothing comes that is due earlier: that an alarm was called off is not worth a visit.
    Until(Instant),
    /// It sleeps, as there is nothing to wait for.
    Endless,
}

impl Rest {
    fn is_too_long_for(self, at: Instant) -> bool {
        match self {
            Self::Awake => false,
            Self::Until(end) => at < end,
            Self::Endless => true,
        }
    }
}

type AlarmKey = (Instant, u64);

static SHARED_BY_ALL: StaticMutex<Weak<AlarmThread>> = StaticMutex::new(Weak::new());

impl AlarmThread {
    /// The thread of this process: the one that is in use, else a new one that has not started yet.
    pub(super) fn shared() -> Arc<Self> {
        let fresh = Arc::new(Self { shared: OfProcess::new(Arc::default()) });
        undivided(|| {
            let mut current = lock_static(&SHARED_BY_ALL);
            current.upgrade().unwrap_or_else(|| {
                *current = Arc::downgrade(&fresh);
                Arc::clone(&fresh)
            })
        })
    }

    pub(super) fn wake_at(&self, at: Instant, waker: Waker) -> Result<Alarm> {
        let own = self.shared.get(Arc::default);
        let mut state = lock(&own.state);
        if !state.running {
            let shared = Arc::clone(own);
            start_thread(c"scupper-timer", move || shared.run()).map_err(|error| {
                Error::new(ErrorKind::Unavailable, "the system refused the thread that wakes waiting requests")
                    .with_source(error)
            })?;
            state.running = true;
        }
        let key = (at, state.asked);
        state.asked += 1;
        state.alarms.insert(key, waker);
        let oversleeps = state.rest.is_too_long_for(at);
        if oversleeps {
            // Whoever asks next need not wake it again.
            state.rest = Rest::Awake;
        }
        drop(state);
        if oversleeps {
            own.changed.notify_one();
        }
        Ok(Alarm::new(CallOff { made_in: Process::current(), shared: Arc::downgrade(own), key }))
    }
}

impl Drop for AlarmThread {
    fn drop(&mut self) {
        let own = self.shared.get(Arc::default);
        lock(&own.state).closed = true;
        own.changed.notify_one();
    }
}

#[derive(Debug)]
struct CallOff {
    made_in: Process,
    shared: Weak<Shared>,
    key: AlarmKey,
}

impl Drop for CallOff {
    fn drop(&mut self) {
        // It goes off in the parent, if at all.
        if !self.made_in.is_current() {
            return;
        }
        let called_off = self.shared.upgrade().and_then(|shared| lock(&shared.state).alarms.remove(&self.key));
        // A waker runs foreign code when it is dropped: not under the lock.
        drop(called_off);
    }
}

impl Shared {
    fn run(&self) {
        while let Some(waker) = self.next() {
            wake(waker);
        }
    }

    /// Sleeps until the next alarm is due; `None` when nobody needs the thread any more.
    fn next(&self) -> Option<Waker> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            state = match state.alarms.first_entry() {
                Some(first) if first.key().0 <= now => return Some(first.remove()),
                Some(first) => {
                    let end = first.key().0;
                    state.rest = Rest::Until(end);
                    self.changed.wait_timeout(state, end - now).unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    state.rest = Rest::Endless;
                    self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
                }
            };
            state.rest = Rest::Awake;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at_rest(thread: &AlarmThread) -> Rest {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let rest = lock(&thread.shared.get(Arc::default).state).rest;
            if rest != Rest::Awake {
                return rest;
            }
            assert!(Instant::now() < end, "the thread never goes to rest");
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_thread_is_woken_for_what_is_due_earlier_than_it_sleeps_and_for_nothing_else() {
        let thread = AlarmThread { shared: OfProcess::new(Arc::default()) };
        let minute = Instant::now() + Duration::from_mins(1);
        let hour = minute + Duration::from_mins(59);
        let wake_at = |at| thread.wake_at(at, Waker::noop().clone()).unwrap();
        let last = wake_at(hour);
        assert_eq!(at_rest(&thread), Rest::Until(hour));
        let first = wake_at(minute);
        assert_eq!(at_rest(&thread), Rest::Until(minute));
        // Each call to a server sets such an alarm and calls it off; the next one is due later.
        drop(first);
        let next = minute + Duration::from_secs(1);
        let _next = wake_at(next);
        assert_eq!(lock(&thread.shared.get(Arc::default).state).rest, Rest::Until(minute));
        drop(last);
    }
}
