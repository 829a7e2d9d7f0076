use crate::rate::Rate;

/// Fixed windows: for each rate, the number of the window in which something was taken last, and how much in it.
#[derive(Clone, Debug)]
pub(super) struct Windows(Vec<(u64, u64)>);

impl Windows {
    pub(super) fn new(rates: &[Rate]) -> Self {
        Self(vec![(0, 0); rates.len()])
    }

    pub(super) fn used(&self, place: usize, rate: &Rate, now: u64) -> u64 {
        let (window, count) = self.0[place];
        if window == number(rate, now) { count } else { 0 }
    }

    pub(super) fn fits(&self, place: usize, rate: &Rate, now: u64, weight: u64) -> bool {
        self.used(place, rate, now) + weight <= rate.limit()
    }

    /// The end of the window.
    pub(super) fn change(&self, place: usize, rate: &Rate) -> u64 {
        (self.0[place].0 + 1) * micros(rate)
    }

    pub(super) fn reset_at(&self, place: usize, rate: &Rate, now: u64) -> u64 {
        if self.used(place, rate, now) == 0 { now } else { self.change(place, rate) }
    }

    pub(super) fn take(&mut self, rates: &[Rate], now: u64, weight: u64) {
        for (place, rate) in rates.iter().enumerate() {
            self.0[place] = (number(rate, now), self.used(place, rate, now) + weight);
        }
    }

    /// Only while the window in which it was taken goes on, rate by rate; says the most that one rate got back.
    pub(super) fn give_back(&mut self, rates: &[Rate], now: u64, tick: u64, weight: u64) -> u64 {
        let mut most = 0;
        for (place, rate) in rates.iter().enumerate() {
            if number(rate, tick) == number(rate, now) {
                let back = self.used(place, rate, now).min(weight);
                self.0[place] = (number(rate, now), self.used(place, rate, now) - back);
                most = most.max(back);
            }
        }
        most
    }

    pub(super) fn free_at(&self, rates: &[Rate]) -> u64 {
        let taken = rates.iter().enumerate().filter(|(place, _)| self.0[*place].1 > 0);
        taken.map(|(place, rate)| self.change(place, rate)).max().unwrap_or(0)
    }

    /// What counts in the current window counts in the one that is current then.
    pub(super) fn move_to(&mut self, rates: &[Rate], from: u64, to: u64) {
        for (place, rate) in rates.iter().enumerate() {
            self.0[place] = (number(rate, to), self.used(place, rate, from));
        }
    }
}

fn number(rate: &Rate, now: u64) -> u64 {
    now / micros(rate)
}

fn micros(rate: &Rate) -> u64 {
    u64::try_from(rate.interval().as_micros()).unwrap()
}
