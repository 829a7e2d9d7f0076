use std::cell::Cell;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::error::Result;
use crate::sync::{Arc, OnceLock};
use crate::time::Timestamp;
use crate::timer::alarms::AlarmThread;
use crate::timer::contract::{Alarm, Timer};

/// The monotonic clock of this process, counted from the Unix epoch.
///
/// It is set to the wall clock once, when the process first asks for the time, and follows the system's monotonic clock
/// from then on: it never steps, whatever happens to the wall clock, and stands still while the machine is suspended.
/// All timers of a process read the same clock.
///
/// A reading costs about as much as one read of the processor's counter. The counter is only trusted for a millisecond
/// after a thread last compared it with the system's clock, so that it can neither drift nor jump unnoticed.
///
/// # Examples
/// ```
/// use scupper::{SystemTimer, Timer};
///
/// let timer = SystemTimer::new();
/// let before = timer.now();
/// assert!(timer.now() >= before);
/// ```
#[derive(Clone, Debug)]
pub struct SystemTimer {
    origin: &'static Origin,
    alarms: Arc<AlarmThread>,
}

/// Where the clock of this process began, and how to read it.
#[derive(Debug)]
struct Origin {
    started: Instant,
    epoch_nanos: u64,
    counter: quanta::Clock,
    /// Nanoseconds per step of the counter, times 2^32.
    nanos_per_step: u64,
    /// Steps of the counter for which a thread may go without the system's clock.
    steps_of_trust: u64,
}

/// The last comparison of counter and system clock by one thread.
#[derive(Clone, Copy)]
struct Anchor {
    steps: u64,
    nanos: u64,
}

thread_local! {
    static ANCHOR: Cell<Anchor> = const { Cell::new(Anchor { steps: 0, nanos: 0 }) };
}

static ORIGIN: OnceLock<Origin> = OnceLock::new();

impl Origin {
    const TRUST: Duration = Duration::from_millis(1);
    /// A comparison counts if it took no longer; else the thread was interrupted in the middle of it.
    const QUICK: u64 = Self::TRUST.as_nanos() as u64 / 500;
    const COMPARISONS: usize = 3;

    fn new() -> Self {
        let counter = quanta::Clock::new();
        const STEPS: u64 = 1 << 30;
        let nanos = counter.delta_as_nanos(0, STEPS).max(1);
        Self {
            started: Instant::now(),
            epoch_nanos: u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos())
                .unwrap_or_default(),
            counter,
            nanos_per_step: nanos << 2,
            steps_of_trust: (u128::from(STEPS) * Self::TRUST.as_nanos() / u128::from(nanos)) as u64,
        }
    }

    #[inline]
    fn nanos(&self) -> u64 {
        let steps = self.counter.raw();
        let anchor = ANCHOR.get();
        let since = steps.wrapping_sub(anchor.steps);
        // A counter that went backwards gives a huge difference, and is not trusted either.
        if since < self.steps_of_trust { anchor.nanos + self.to_nanos(since) } else { self.compare(anchor, since) }
    }

    #[inline]
    fn to_nanos(&self, steps: u64) -> u64 {
        ((u128::from(steps) * u128::from(self.nanos_per_step)) >> 32) as u64
    }

    #[cold]
    #[inline(never)]
    fn compare(&self, last: Anchor, since_last: u64) -> u64 {
        let quick = (u128::from(self.steps_of_trust) * u128::from(Self::QUICK) / Self::TRUST.as_nanos()) as u64;
        let mut nanos = 0;
        for _ in 0..Self::COMPARISONS {
            let before = self.counter.raw();
            nanos = self.epoch_nanos + self.started.elapsed().as_nanos() as u64;
            let steps = self.counter.raw();
            if steps.wrapping_sub(before) < quick {
                // What this thread has read since the last comparison may be a little ahead; time must not step back.
                let read_last = last.nanos.saturating_add(self.to_nanos(since_last.min(self.steps_of_trust)));
                nanos = nanos.max(read_last.min(nanos.saturating_add(Self::QUICK)));
                ANCHOR.set(Anchor { steps, nanos });
                break;
            }
        }
        nanos
    }
}

impl SystemTimer {
    /// A timer on the clock of this process.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: ORIGIN.get_or_init(Origin::new), alarms: AlarmThread::shared() }
    }

    /// The same as [`Timer::now`], known to the compiler.
    #[inline]
    pub(crate) fn read(&self) -> Timestamp {
        Timestamp::from_micros(self.origin.nanos() / 1_000)
    }

    /// When the system's own clock will have reached `at`.
    fn instant_of(&self, at: Timestamp) -> Instant {
        let ahead = at.since(self.now());
        // Beyond what the system can express, the alarm goes off early and is set again.
        Instant::now().checked_add(ahead).unwrap_or_else(|| Instant::now() + Duration::from_secs(1 << 30))
    }
}

impl Default for SystemTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer for SystemTimer {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.alarms.wake_at(self.instant_of(at), waker)
    }

    fn sleep_until(&self, at: Timestamp) -> Result<()> {
        loop {
            let ahead = at.since(self.now());
            if ahead.is_zero() {
                return Ok(());
            }
            thread::sleep(ahead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_clock_agrees_with_the_systems_clock() {
        let timer = SystemTimer::new();
        let system = || timer.origin.epoch_nanos + timer.origin.started.elapsed().as_nanos() as u64;
        for _ in 0..200_000 {
            let before = system();
            let read = timer.origin.nanos();
            let after = system();
            // Anchors are taken to 2 µs; a millisecond of counter adds nanoseconds.
            assert!(read + 5_000 >= before && read <= after + 5_000, "{before} {read} {after}");
        }
    }

    #[test]
    fn a_thread_never_sees_the_clock_step_back() {
        let timer = SystemTimer::new();
        let mut last = timer.now();
        for _ in 0..1_000_000 {
            let now = timer.now();
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
    }

    #[test]
    fn a_counter_that_jumps_back_is_not_trusted() {
        let timer = SystemTimer::new();
        let now = timer.now();
        // As after a suspend that reset the counter: the anchor lies in the counter's future.
        ANCHOR.set(Anchor { steps: u64::MAX, nanos: ANCHOR.get().nanos });
        let next = timer.now();
        assert!(next >= now && next.since(now) < Duration::from_secs(1), "{next} after {now}");
    }
}
