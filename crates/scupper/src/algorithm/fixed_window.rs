use crate::algorithm::lanes::{Lane, Refund};
use crate::pace::Pace;

/// Units in the window that began at `start`, a multiple of the interval.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FixedWindow {
    start: u64,
    count: u64,
}

impl FixedWindow {
    #[inline]
    fn is_current(&self, pace: &Pace, now: u64) -> bool {
        now.saturating_sub(self.start) < pace.rate.interval_micros()
    }

    fn end(&self, pace: &Pace) -> u64 {
        self.start.saturating_add(pace.rate.interval_micros())
    }
}

impl Lane for FixedWindow {
    #[inline]
    fn free_from(&self, pace: &Pace, now: u64, weight: u64) -> u64 {
        let full = self.is_current(pace, now) && self.count.saturating_add(weight) > pace.rate.limit();
        if full { self.end(pace) } else { 0 }
    }

    #[inline]
    fn charge_one(&mut self, pace: &Pace, now: u64) -> bool {
        let fits = self.free_from(pace, now, 1) <= now;
        if fits {
            self.charge(pace, now, 1);
        }
        fits
    }

    #[inline]
    fn charge(&mut self, pace: &Pace, now: u64, weight: u64) {
        if !self.is_current(pace, now) {
            *self = Self { start: now - now % pace.rate.interval_micros(), count: 0 };
        }
        self.count = self.count.saturating_add(weight);
    }

    fn refund(&mut self, pace: &Pace, now: u64, refund: &Refund) -> u64 {
        if !self.is_current(pace, now) || refund.tick < self.start {
            return 0;
        }
        let refunded = refund.weight.min(self.count);
        self.count -= refunded;
        refunded
    }

    fn usage(&self, pace: &Pace, now: u64) -> (u64, u64) {
        if self.is_current(pace, now) && self.count > 0 { (self.count, self.end(pace)) } else { (0, now) }
    }

    fn free_at(&self, pace: &Pace) -> u64 {
        if self.count == 0 { 0 } else { self.end(pace) }
    }

    /// Windows stay where they are on the clock: what counted in the current one counts in the one that is current then.
    fn rebase(&mut self, pace: &Pace, from: u64, to: u64) {
        let count = if self.is_current(pace, from) { self.count } else { 0 };
        *self = Self { start: to - to % pace.rate.interval_micros(), count };
    }

    fn goes_on(old: &Pace, new: &Pace) -> bool {
        old.rate.interval() == new.rate.interval()
    }

    fn to_parts(self) -> (u64, u64) {
        (self.start, self.count)
    }

    fn from_parts(pace: &Pace, (start, count): (u64, u64)) -> Option<Self> {
        start.is_multiple_of(pace.rate.interval_micros()).then_some(Self { start, count })
    }
}
