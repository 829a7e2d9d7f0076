use crate::conformance::oracle::drains::Drains;
use crate::conformance::oracle::log::Log;
use crate::conformance::oracle::windows::Windows;
use crate::quota::{Algorithm, Quota};

/// What an algorithm remembers.
#[derive(Clone, Debug)]
pub(super) enum History {
    Log(Log),
    Windows(Windows),
    Drains(Drains),
}

/// What is given back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Back {
    pub(super) tick: u64,
    pub(super) weight: u64,
    /// Units that were taken after it.
    pub(super) later: u64,
}

impl History {
    pub(super) fn new(quota: &Quota) -> Self {
        match quota.algorithm() {
            Algorithm::SlidingWindowLog => Self::Log(Log::default()),
            Algorithm::FixedWindow => Self::Windows(Windows::new(quota.rates())),
            Algorithm::Gcra => Self::Drains(Drains::new(quota.rates())),
        }
    }

    pub(super) fn fits(&self, quota: &Quota, place: usize, now: u64, weight: u64) -> bool {
        let rate = &quota.rates()[place];
        match self {
            Self::Log(log) => log.fits(rate, now, weight),
            Self::Windows(windows) => windows.fits(place, rate, now, weight),
            Self::Drains(drains) => drains.fits(place, rate, now, weight),
        }
    }

    pub(super) fn all_fit(&self, quota: &Quota, now: u64, weight: u64) -> bool {
        (0..quota.rates().len()).all(|place| self.fits(quota, place, now, weight))
    }

    /// Ticks at which the answer to this weight can change.
    pub(super) fn changes(&self, quota: &Quota, weight: u64) -> Vec<u64> {
        let rates = quota.rates();
        let places = rates.iter().enumerate();
        match self {
            Self::Log(log) => rates.iter().flat_map(|rate| log.changes(rate)).collect(),
            Self::Windows(windows) => places.map(|(place, rate)| windows.change(place, rate)).collect(),
            Self::Drains(drains) => places.map(|(place, rate)| drains.change(place, rate, weight)).collect(),
        }
    }

    pub(super) fn used(&self, quota: &Quota, place: usize, now: u64) -> u64 {
        let rate = &quota.rates()[place];
        match self {
            Self::Log(log) => log.used(rate, now),
            Self::Windows(windows) => windows.used(place, rate, now),
            Self::Drains(drains) => drains.used(place, rate, now),
        }
    }

    pub(super) fn reset_at(&self, quota: &Quota, place: usize, now: u64) -> u64 {
        let rate = &quota.rates()[place];
        match self {
            Self::Log(log) => log.reset_at(rate, now),
            Self::Windows(windows) => windows.reset_at(place, rate, now),
            Self::Drains(drains) => drains.reset_at(place, rate, now),
        }
    }

    pub(super) fn take(&mut self, quota: &Quota, now: u64, weight: u64) {
        match self {
            Self::Log(log) => log.take(now, weight),
            Self::Windows(windows) => windows.take(quota.rates(), now, weight),
            Self::Drains(drains) => drains.take(quota.rates(), now, weight),
        }
    }

    pub(super) fn give_back(&mut self, quota: &Quota, now: u64, back: Back) -> u64 {
        let Back { tick, weight, later } = back;
        match self {
            Self::Log(log) => log.give_back(tick, weight),
            Self::Windows(windows) => windows.give_back(quota.rates(), now, tick, weight),
            Self::Drains(drains) => drains.give_back(quota.rates(), now, tick, weight, later),
        }
    }

    /// Drops what matters to nobody who keeps it for `retention`.
    pub(super) fn leak(&mut self, now: u64, retention: u64) {
        if let (Self::Log(log), Some(last)) = (self, now.checked_sub(retention + 1)) {
            log.forget_until(last);
        }
    }

    pub(super) fn free_at(&self, quota: &Quota, retention: u64) -> u64 {
        match self {
            Self::Log(log) => log.free_at(retention),
            Self::Windows(windows) => windows.free_at(quota.rates()),
            Self::Drains(drains) => drains.free_at(quota.rates()),
        }
    }

    /// The clock has gone back from `from` to `to` for good.
    pub(super) fn rebase(&mut self, quota: &Quota, from: u64, to: u64) {
        match self {
            Self::Log(log) => log.shift_back(from - to),
            Self::Windows(windows) => windows.move_to(quota.rates(), from, to),
            Self::Drains(drains) => drains.shift_back(quota.rates(), from - to),
        }
    }
}
