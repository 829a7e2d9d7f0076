use crate::rate::Rate;

/// The sliding window log: when how much was taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Vec<(u64, u64)>);

impl Log {
    /// What was taken at `t` still counts at `t + interval`, and no longer one tick later.
    pub(super) fn used(&self, rate: &Rate, now: u64) -> u64 {
        let counts = |tick: u64| tick + micros(rate) >= now;
        self.0.iter().filter(|(tick, _)| counts(*tick)).map(|(_, weight)| weight).sum()
    }

    pub(super) fn fits(&self, rate: &Rate, now: u64, weight: u64) -> bool {
        self.used(rate, now) + weight <= rate.limit()
    }

    /// Ticks at which the answer can change: something leaves the window.
    pub(super) fn changes(&self, rate: &Rate) -> Vec<u64> {
        self.0.iter().map(|(tick, _)| tick + micros(rate) + 1).collect()
    }

    pub(super) fn reset_at(&self, rate: &Rate, now: u64) -> u64 {
        self.changes(rate).into_iter().max().unwrap_or(now).max(now)
    }

    pub(super) fn take(&mut self, now: u64, weight: u64) {
        self.0.push((now, weight));
    }

    pub(super) fn give_back(&mut self, tick: u64, weight: u64) -> u64 {
        let mut left = weight;
        for entry in self.0.iter_mut().filter(|(other, _)| *other == tick) {
            let taken = entry.1.min(left);
            entry.1 -= taken;
            left -= taken;
        }
        self.0.retain(|(_, weight)| *weight > 0);
        weight - left
    }

    /// Nothing that was taken up to here matters to anyone.
    pub(super) fn forget_until(&mut self, last: u64) {
        self.0.retain(|(tick, _)| *tick > last);
    }

    pub(super) fn free_at(&self, retention: u64) -> u64 {
        self.0.iter().map(|(tick, _)| tick + retention + 1).max().unwrap_or(0)
    }

    /// Everything keeps its age, as far as the clock goes back.
    pub(super) fn shift_back(&mut self, by: u64) {
        self.0.iter_mut().for_each(|(tick, _)| *tick = tick.saturating_sub(by));
    }
}

fn micros(rate: &Rate) -> u64 {
    u64::try_from(rate.interval().as_micros()).unwrap()
}
