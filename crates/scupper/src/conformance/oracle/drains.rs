use crate::rate::Rate;

/// The generic cell rate algorithm: for each rate, when all that was taken will have drained (the *theoretical arrival
/// time* of the textbook), as a number of parts of which `limit` make a microsecond. No fraction is ever lost.
#[derive(Clone, Debug)]
pub(super) struct Drains {
    drained: Vec<u128>,
    /// All that was taken and not given back since, to hold refunds to: a bucket never drains earlier than if what was
    /// given back had not been there.
    kept: Vec<Taken>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    tick: u64,
    weight: u64,
}

impl Drains {
    pub(super) fn new(rates: &[Rate]) -> Self {
        Self { drained: vec![0; rates.len()], kept: Vec::new() }
    }

    /// Parts that are still to drain.
    fn level(&self, place: usize, rate: &Rate, now: u64) -> u128 {
        self.drained[place].saturating_sub(parts(rate, now))
    }

    pub(super) fn used(&self, place: usize, rate: &Rate, now: u64) -> u64 {
        u64::try_from(self.level(place, rate, now).div_ceil(interval(rate))).unwrap()
    }

    pub(super) fn fits(&self, place: usize, rate: &Rate, now: u64, weight: u64) -> bool {
        self.level(place, rate, now) + units(rate, weight) <= units(rate, rate.burst())
    }

    /// The first tick at which so much has drained that `weight` units fit.
    pub(super) fn change(&self, place: usize, rate: &Rate, weight: u64) -> u64 {
        let room = units(rate, rate.burst()).saturating_sub(units(rate, weight));
        let until = self.drained[place].saturating_sub(room);
        u64::try_from(until.div_ceil(u128::from(rate.limit()))).unwrap()
    }

    pub(super) fn reset_at(&self, place: usize, rate: &Rate, now: u64) -> u64 {
        self.free_at_of(place, rate).max(now)
    }

    pub(super) fn take(&mut self, rates: &[Rate], now: u64, weight: u64) {
        for (place, rate) in rates.iter().enumerate() {
            self.drained[place] = self.drained[place].max(parts(rate, now)) + units(rate, weight);
        }
        self.kept.push(Taken { tick: now, weight });
    }

    /// As much as is certainly still there of it: what is left of the level once `later` units, which were taken
    /// after it, are put aside. Says the most that one rate got back, a part of a unit counted as one.
    pub(super) fn give_back(&mut self, rates: &[Rate], now: u64, tick: u64, weight: u64, later: u64) -> u64 {
        if let Some(place) = self.kept.iter().position(|taken| (taken.tick, taken.weight) == (tick, weight)) {
            self.kept.remove(place);
        }
        let mut most = 0;
        for (place, rate) in rates.iter().enumerate() {
            let mine = self.level(place, rate, now).saturating_sub(units(rate, later)).min(units(rate, weight));
            self.drained[place] -= mine;
            most = most.max(u64::try_from(mine.div_ceil(interval(rate))).unwrap());
            let without = self
                .kept
                .iter()
                .fold(0, |drained: u128, taken| drained.max(parts(rate, taken.tick)) + units(rate, taken.weight));
            let now = parts(rate, now);
            assert!(self.drained[place].max(now) >= without.max(now), "a refund would let through more than the rate");
        }
        most
    }

    fn free_at_of(&self, place: usize, rate: &Rate) -> u64 {
        u64::try_from(self.drained[place].div_ceil(u128::from(rate.limit()))).unwrap()
    }

    pub(super) fn free_at(&self, rates: &[Rate]) -> u64 {
        rates.iter().enumerate().map(|(place, rate)| self.free_at_of(place, rate)).max().unwrap_or(0)
    }

    pub(super) fn shift_back(&mut self, rates: &[Rate], by: u64) {
        for (place, rate) in rates.iter().enumerate() {
            self.drained[place] = self.drained[place].saturating_sub(parts(rate, by));
        }
        // What was taken before is not given back any more, so it need not be told apart.
        self.kept.clear();
    }
}

fn interval(rate: &Rate) -> u128 {
    rate.interval().as_micros()
}

fn parts(rate: &Rate, micros: u64) -> u128 {
    u128::from(micros) * u128::from(rate.limit())
}

fn units(rate: &Rate, units: u64) -> u128 {
    u128::from(units) * interval(rate)
}
