//! The clock of buckets in memory: the one that Python calls monotonic, so that a caller's readings and ours are of one time.

use std::sync::OnceLock;
use std::task::Waker;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use scupper::{Alarm, Result, SystemTimer, Timer, Timestamp};

/// Microseconds on the clock of `time.monotonic`.
///
/// Read from the processor's counter, as the system's timer is; the two clocks differ by a constant.
#[derive(Clone, Debug)]
pub(crate) struct MonotonicTimer {
    system: SystemTimer,
    ahead_micros: u64,
}

impl MonotonicTimer {
    const COMPARISONS: usize = 16;

    /// The timer of this process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<MonotonicTimer> = OnceLock::new();
        SHARED.get_or_init(Self::compared)
    }

    /// Compares the two clocks a few times; the quickest comparison is the one that nothing came in between.
    fn compared() -> Self {
        let system = SystemTimer::new();
        let compare = || {
            let before = monotonic();
            let read = Duration::from_micros(system.now().as_micros());
            let after = monotonic();
            (after.saturating_sub(before), read.saturating_sub(before))
        };
        let ahead = (0..Self::COMPARISONS).map(|_| compare()).min().unwrap_or_default().1;
        Self { system, ahead_micros: u64::try_from(ahead.as_micros()).unwrap_or_default() }
    }

    /// The time now, known to the compiler.
    #[inline]
    pub(crate) fn read(&self) -> Timestamp {
        Timestamp::from_micros(self.system.now().as_micros().saturating_sub(self.ahead_micros))
    }
}

fn monotonic() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    // The clock counts from the start of the machine.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

impl Timer for MonotonicTimer {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.system.wake_at(at + Duration::from_micros(self.ahead_micros), waker)
    }
}
