use crate::algorithm::blocked::{Blocked, Short};
use crate::algorithm::fixed_window::FixedWindow;
use crate::algorithm::gcra::Gcra;
use crate::algorithm::lanes::{Lanes, Refund};
use crate::algorithm::parts::Parts;
use crate::algorithm::sliding_window_log::{Keep, SlidingWindowLog};
use crate::pace::Pace;
use crate::quota::{Algorithm, Quota};

/// What a bucket remembers, under one of the algorithms.
///
/// With a tag of its own: one hidden in a field takes longer to read than all else that a decision does here.
#[derive(Clone, Debug)]
#[repr(u8)]
pub(crate) enum Ledger {
    SlidingWindowLog(SlidingWindowLog),
    FixedWindow(Lanes<FixedWindow>),
    Gcra(Lanes<Gcra>),
}

impl Ledger {
    pub(crate) fn new(quota: &Quota) -> Self {
        match quota.algorithm() {
            Algorithm::SlidingWindowLog => Self::SlidingWindowLog(SlidingWindowLog::default()),
            Algorithm::FixedWindow => Self::FixedWindow(Lanes::new(quota.paces())),
            Algorithm::Gcra => Self::Gcra(Lanes::new(quota.paces())),
        }
    }

    /// Counts one unit at `now` if it fits, or says which rate binds. Undecided where more is to be done than that: it is the
    /// short way of [`blocked`](Self::blocked) and [`charge`](Self::charge). Without `EXPLAIN`, also where it does not fit.
    #[inline(always)]
    pub(crate) fn charge_one<const EXPLAIN: bool>(&mut self, paces: &[Pace], now: u64) -> Short {
        match self {
            Self::SlidingWindowLog(log) => log.charge_one::<EXPLAIN>(paces, now),
            Self::FixedWindow(lanes) => lanes.charge_one::<EXPLAIN>(paces, now),
            Self::Gcra(lanes) => lanes.charge_one::<EXPLAIN>(paces, now),
        }
    }

    /// Which rate binds, and until when, if `weight` units do not fit all rates at `now`.
    #[inline]
    pub(crate) fn blocked(&self, paces: &[Pace], now: u64, weight: u64) -> Option<Blocked> {
        match self {
            Self::SlidingWindowLog(log) => log.blocked(paces, now, weight),
            Self::FixedWindow(lanes) => lanes.blocked(paces, now, weight),
            Self::Gcra(lanes) => lanes.blocked(paces, now, weight),
        }
    }

    pub(crate) fn charge(&mut self, paces: &[Pace], now: u64, weight: u64, keep: Keep) {
        match self {
            Self::SlidingWindowLog(log) => log.charge(paces, now, weight, keep),
            Self::FixedWindow(lanes) => lanes.charge(paces, now, weight),
            Self::Gcra(lanes) => lanes.charge(paces, now, weight),
        }
    }

    pub(crate) fn refund(&mut self, paces: &[Pace], now: u64, refund: &Refund, retention: u64) -> u64 {
        match self {
            Self::SlidingWindowLog(log) => log.refund(refund.tick, refund.weight, now, retention),
            Self::FixedWindow(lanes) => lanes.refund(paces, now, refund),
            Self::Gcra(lanes) => lanes.refund(paces, now, refund),
        }
    }

    pub(crate) fn usage(&self, rate: usize, pace: &Pace, now: u64) -> (u64, u64) {
        match self {
            Self::SlidingWindowLog(log) => log.usage(pace, now),
            Self::FixedWindow(lanes) => lanes.usage(rate, pace, now),
            Self::Gcra(lanes) => lanes.usage(rate, pace, now),
        }
    }

    pub(crate) fn free_at(&self, paces: &[Pace], retention: u64) -> u64 {
        match self {
            Self::SlidingWindowLog(log) => log.free_at(retention),
            Self::FixedWindow(lanes) => lanes.free_at(paces),
            Self::Gcra(lanes) => lanes.free_at(paces),
        }
    }

    pub(crate) fn rebase(&mut self, paces: &[Pace], from: u64, to: u64, retention: u64) {
        match self {
            Self::SlidingWindowLog(log) => log.rebase(from, to, retention),
            Self::FixedWindow(lanes) => lanes.rebase(paces, from, to),
            Self::Gcra(lanes) => lanes.rebase(paces, from, to),
        }
    }

    /// Goes on under `new` rates of the same algorithm.
    pub(crate) fn adopt(&mut self, old: &[Pace], new: &[Pace], now: u64) {
        match self {
            Self::SlidingWindowLog(log) => log.adopt(),
            Self::FixedWindow(lanes) => lanes.adopt(old, new, now),
            Self::Gcra(lanes) => lanes.adopt(old, new, now),
        }
    }

    /// What is remembered, in pairs of numbers: for the log the tick of each event and all units up to and with it, for the
    /// others two numbers a rate.
    pub(crate) fn to_parts(&self, paces: &[Pace]) -> Parts {
        match self {
            Self::SlidingWindowLog(log) => Parts { own: log.events().collect(), others: Vec::new() },
            Self::FixedWindow(lanes) => lanes.to_parts(paces),
            Self::Gcra(lanes) => lanes.to_parts(paces),
        }
    }

    /// The ledger from its parts, if they are such a ledger's.
    pub(crate) fn from_parts(quota: &Quota, parts: Parts, high_water: u64) -> Option<Self> {
        match quota.algorithm() {
            Algorithm::SlidingWindowLog => {
                SlidingWindowLog::from_events(&parts.own, high_water).map(Self::SlidingWindowLog)
            }
            Algorithm::FixedWindow => Lanes::from_parts(quota.paces(), parts).map(Self::FixedWindow),
            Algorithm::Gcra => Lanes::from_parts(quota.paces(), parts).map(Self::Gcra),
        }
    }
}
