use std::cell::Cell;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::error::Result;
use crate::fork::undivided;
use crate::sync::{Arc, OnceLock, thread};
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
    epoch: Fine,
    counter: quanta::Clock,
    /// Fine microseconds per step of the counter, times 2^[`STEP_BITS`](Self::STEP_BITS).
    fine_per_step: u64,
    /// Steps of the counter for which a thread may go without the system's clock.
    steps_of_trust: u64,
}

/// Microseconds since the Unix epoch, times 2^10: about a nanosecond is fine enough not to lose time when a reading is
/// compared, and wide enough for five hundred years.
type Fine = u64;

/// The last comparison of counter and system clock by one thread.
#[derive(Clone, Copy)]
struct Anchor {
    steps: u64,
    read: Fine,
}

thread_local! {
    static ANCHOR: Cell<Anchor> = const { Cell::new(Anchor { steps: 0, read: 0 }) };
}

static ORIGIN: OnceLock<Origin> = OnceLock::new();

impl Origin {
    const TRUST: Duration = Duration::from_millis(1);
    /// A comparison counts if it took no longer than this part of the trust, half a microsecond; else the thread was
    /// interrupted in the middle of it.
    const QUICK_IN_TRUST: u64 = 2_000;
    const COMPARISONS: usize = 3;
    const FINE_BITS: u32 = 10;
    /// As many as fit beside the steps of trust in one multiplication, for counters up to 64 GHz.
    const STEP_BITS: u32 = 24;

    fn new() -> Self {
        const STEPS: u64 = 1 << 30;
        let counter = quanta::Clock::new();
        let nanos = u128::from(counter.delta_as_nanos(0, STEPS).max(1));
        let narrow = |wide: u128| u64::try_from(wide).unwrap_or(u64::MAX);
        Self {
            started: Instant::now(),
            epoch: fine(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            fine_per_step: narrow((nanos << (Self::FINE_BITS + Self::STEP_BITS)) / (u128::from(STEPS) * 1_000)),
            steps_of_trust: narrow(u128::from(STEPS) * Self::TRUST.as_nanos() / nanos),
            counter,
        }
    }

    #[inline]
    fn read(&self) -> Fine {
        self.glance().unwrap_or_else(|| self.compare())
    }

    /// The time by the counter alone, while it can be trusted.
    #[inline(always)]
    fn glance(&self) -> Option<Fine> {
        let steps = self.counter.raw();
        let anchor = ANCHOR.get();
        let since = steps.wrapping_sub(anchor.steps);
        // A counter that went backwards gives a huge difference, and is not trusted either.
        (since < self.steps_of_trust).then(|| anchor.read + self.fine(since))
    }

    #[inline(always)]
    fn fine(&self, steps: u64) -> Fine {
        (steps * self.fine_per_step) >> Self::STEP_BITS
    }

    fn read_system(&self) -> Fine {
        self.epoch.saturating_add(fine(self.started.elapsed()))
    }

    #[cold]
    #[inline(never)]
    fn compare(&self) -> Fine {
        let last = ANCHOR.get();
        let since_last = self.counter.raw().wrapping_sub(last.steps).min(self.steps_of_trust);
        // What this thread may have read already. If the counter was a little fast, time stands still until the system's
        // clock has caught up, and the counter is not trusted again before.
        let read_last = last.read.saturating_add(self.fine(since_last));
        let quick = self.steps_of_trust / Self::QUICK_IN_TRUST;
        let mut read = read_last;
        for _ in 0..Self::COMPARISONS {
            let before = self.counter.raw();
            read = self.read_system();
            let steps = self.counter.raw();
            if steps.wrapping_sub(before) < quick {
                if read >= read_last {
                    ANCHOR.set(Anchor { steps, read });
                }
                break;
            }
        }
        read.max(read_last)
    }
}

fn fine(duration: Duration) -> Fine {
    u64::try_from((duration.as_nanos() << Origin::FINE_BITS) / 1_000).unwrap_or(u64::MAX)
}

impl SystemTimer {
    /// A timer on the clock of this process.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: undivided(|| ORIGIN.get_or_init(Origin::new)), alarms: AlarmThread::shared() }
    }

    /// The same as [`Timer::now`], known to the compiler.
    #[inline]
    pub(crate) fn read(&self) -> Timestamp {
        Timestamp::from_micros(self.origin.read() >> Origin::FINE_BITS)
    }

    /// The same without a call, or nothing where that takes more than a look at the counter.
    #[inline(always)]
    pub(crate) fn glance(&self) -> Option<Timestamp> {
        self.origin.glance().map(|read| Timestamp::from_micros(read >> Origin::FINE_BITS))
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
        // Anchors are taken to half a microsecond; a millisecond of counter adds nanoseconds.
        let slack = fine(Duration::from_micros(2));
        for _ in 0..200_000 {
            let before = timer.origin.read_system();
            let read = timer.origin.read();
            let after = timer.origin.read_system();
            assert!(read + slack >= before && read <= after + slack, "{before} {read} {after}");
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
        ANCHOR.set(Anchor { steps: u64::MAX, ..ANCHOR.get() });
        let next = timer.now();
        assert!(next >= now && next.since(now) < Duration::from_secs(1), "{next} after {now}");
    }
}
