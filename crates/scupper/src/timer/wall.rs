use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::error::Result;
use crate::sync::Arc;
use crate::time::Timestamp;
use crate::timer::alarms::AlarmThread;
use crate::timer::contract::{Alarm, Timer};

/// The wall clock: microseconds since the Unix epoch, as the system believes now.
///
/// It steps when the system's clock is set. Stores bear that (a step back frees nothing, a step forward ages what they
/// hold by its size), but a limiter of one process is better served by [`SystemTimer`](crate::SystemTimer). Use this one
/// where windows must follow corrections of the calendar. A sleeper's wake-up is computed when it goes to sleep: a clock
/// set forward meanwhile does not wake it earlier.
///
/// # Examples
/// ```
/// use scupper::{Timer, WallTimer};
///
/// assert!(WallTimer::new().now().as_micros() > 1_700_000_000_000_000);
/// ```
#[derive(Clone, Debug)]
pub struct WallTimer {
    alarms: Arc<AlarmThread>,
}

impl WallTimer {
    /// A timer on the system's wall clock.
    #[must_use]
    pub fn new() -> Self {
        Self { alarms: AlarmThread::shared() }
    }
}

impl Default for WallTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer for WallTimer {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        let ahead = at.since(self.now());
        let instant =
            Instant::now().checked_add(ahead).unwrap_or_else(|| Instant::now() + Duration::from_secs(1 << 30));
        self.alarms.wake_at(instant, waker)
    }
}
