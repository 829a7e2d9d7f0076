//! What a store's clock reads, as far as it is known without asking.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use scupper::Timestamp;

use crate::clock::MonotonicTimer;

/// Begins with the time of day, which stores' clocks begin with, and is set right by what they tell.
#[derive(Debug)]
pub(crate) struct Reckoning {
    /// How far the store is ahead of our own clock, in microseconds; wraps.
    ahead: AtomicU64,
}

impl Reckoning {
    pub(crate) fn new() -> Self {
        let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let reckoning = Self { ahead: AtomicU64::new(0) };
        reckoning.learn(Timestamp::from_micros(u64::try_from(today.as_micros()).unwrap_or_default()));
        reckoning
    }

    /// Takes down what the store's clock read just now.
    pub(crate) fn learn(&self, read: Timestamp) {
        let ahead = read.as_micros().wrapping_sub(MonotonicTimer::shared().read().as_micros());
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        let own = MonotonicTimer::shared().read().as_micros();
        Timestamp::from_micros(own.wrapping_add(self.ahead.load(Ordering::Relaxed)))
    }
}
