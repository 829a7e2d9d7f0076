use std::time::Duration;

use crate::fork::undivided;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};
use crate::time::Timestamp;

/// Whether the store is worth asking: after an outage it is left alone for a while, then one call tries.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    is_out: AtomicBool,
    /// When the next call may try; none while one does.
    next_try: Mutex<Option<Timestamp>>,
}

impl Breaker {
    const PAUSE: Duration = Duration::from_secs(1);

    /// Whether to ask the store now.
    pub(super) fn lets_through(&self, now: Timestamp) -> bool {
        if !self.is_out.load(Ordering::Acquire) {
            return true;
        }
        // Who tries reports, one way or the other; until then nobody else does.
        undivided(|| lock(&self.next_try).take_if(|next_try| now >= *next_try).is_some())
    }

    /// When the store is tried again.
    pub(super) fn next_try(&self, now: Timestamp) -> Timestamp {
        // While one tries, nobody knows.
        undivided(|| *lock(&self.next_try)).filter(|next_try| *next_try > now).unwrap_or(now + Self::PAUSE)
    }

    pub(super) fn note_outage(&self, now: Timestamp) {
        undivided(|| *lock(&self.next_try) = Some(now + Self::PAUSE));
        self.is_out.store(true, Ordering::Release);
    }

    pub(super) fn note_answer(&self) {
        if self.is_out.load(Ordering::Acquire) {
            self.is_out.store(false, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn after_an_outage_one_call_a_second_tries_until_one_is_answered() {
        let breaker = Breaker::default();
        assert!(breaker.lets_through(at(0)));
        breaker.note_outage(at(0));
        assert!(!breaker.lets_through(Timestamp::from_micros(999_999)));
        assert_eq!(breaker.next_try(Timestamp::from_micros(999_999)), at(1));
        assert!(breaker.lets_through(at(1)));
        assert!(!breaker.lets_through(at(5)), "one tries already");
        assert_eq!(breaker.next_try(at(5)), at(6));
        breaker.note_outage(at(5));
        assert!(!breaker.lets_through(at(5)));
        assert!(breaker.lets_through(at(6)));
        breaker.note_answer();
        assert!(breaker.lets_through(at(6)) && breaker.lets_through(at(6)));
    }
}
