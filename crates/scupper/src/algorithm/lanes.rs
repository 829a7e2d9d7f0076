use std::cmp::Reverse;
use std::fmt;

use crate::algorithm::blocked::{Blocked, Short};
use crate::algorithm::parts::Parts;
use crate::pace::Pace;

/// The state of one rate, for algorithms that keep one such state a rate.
pub(crate) trait Lane: Copy + Default + fmt::Debug {
    /// The first microsecond from `now` on at which `weight` units fit; anything up to `now` if they fit.
    fn free_from(&self, pace: &Pace, now: u64, weight: u64) -> u64;
    /// Counts one unit at `now` if it fits; says whether.
    fn charge_one(&mut self, pace: &Pace, now: u64) -> bool;
    /// Counts `weight` units at `now`, whether or not they fit.
    fn charge(&mut self, pace: &Pace, now: u64, weight: u64);
    /// Takes back what can still be taken back; says how many units.
    fn refund(&mut self, pace: &Pace, now: u64, refund: &Refund) -> u64;
    /// Units in use at `now`, and from when on there are none if nobody comes.
    fn usage(&self, pace: &Pace, now: u64) -> (u64, u64);
    /// From when on this is as good as new.
    fn free_at(&self, pace: &Pace) -> u64;
    /// Goes on at `to` as if it were `from`, which is later: a clock that stepped back frees nothing.
    fn rebase(&mut self, pace: &Pace, from: u64, to: u64);
    /// Whether the state under one rate can go on under the other as it is.
    fn goes_on(old: &Pace, new: &Pace) -> bool;
    /// The state as two numbers, as it is stored.
    fn to_parts(self) -> (u64, u64);
    /// The state from its two numbers, if they are those of such a state.
    fn from_parts(pace: &Pace, parts: (u64, u64)) -> Option<Self>;
}

/// What is given back, as far as it matters to a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refund {
    pub(crate) tick: u64,
    pub(crate) weight: u64,
    /// Units counted after the permit was given.
    pub(crate) later: u64,
}

/// One lane for each rate in use, and those of rates that others asked for as long as they still owe something: whoever
/// uses the bucket is counted against all of them. The first is at hand, as one rate is the rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lanes<L: Lane> {
    first: L,
    rest: Option<Box<Rest<L>>>,
}

#[derive(Clone, Debug, Default)]
struct Rest<L: Lane> {
    own: Vec<L>,
    others: Vec<(Pace, L)>,
}

impl<L: Lane> Rest<L> {
    fn boxed(own: Vec<L>, others: Vec<(Pace, L)>) -> Option<Box<Self>> {
        (!own.is_empty() || !others.is_empty()).then(|| Box::new(Self { own, others }))
    }
}

impl<L: Lane> Lanes<L> {
    const MOST_OTHERS: usize = 64;

    pub(crate) fn new(paces: &[Pace]) -> Self {
        let own = paces.iter().skip(1).map(|_| L::default()).collect();
        Self { first: L::default(), rest: Rest::boxed(own, Vec::new()) }
    }

    /// Counts one unit at `now` if it fits, or says until when it does not; undecided if there is more than one rate.
    #[inline(always)]
    pub(crate) fn charge_one<const EXPLAIN: bool>(&mut self, paces: &[Pace], now: u64) -> Short {
        let (None, Some(pace)) = (&self.rest, paces.first()) else { return Short::Undecided };
        if self.first.charge_one(pace, now) {
            Short::Charged
        } else if EXPLAIN {
            Short::Blocked(Blocked { until: self.first.free_from(pace, now, 1), rate: 0 })
        } else {
            Short::Undecided
        }
    }

    pub(crate) fn blocked(&self, paces: &[Pace], now: u64, weight: u64) -> Option<Blocked> {
        Blocked::last(self.own().zip(paces).map(|(lane, pace)| lane.free_from(pace, now, weight)), now)
    }

    pub(crate) fn charge(&mut self, paces: &[Pace], now: u64, weight: u64) {
        self.for_each(paces, |lane, pace| lane.charge(pace, now, weight));
    }

    /// Gives back on every lane; says the most that one of them could take back.
    pub(crate) fn refund(&mut self, paces: &[Pace], now: u64, refund: &Refund) -> u64 {
        let mut most = 0;
        self.for_each(paces, |lane, pace| most = most.max(lane.refund(pace, now, refund)));
        most
    }

    pub(crate) fn usage(&self, rate: usize, pace: &Pace, now: u64) -> (u64, u64) {
        self.own().nth(rate).map_or((0, now), |lane| lane.usage(pace, now))
    }

    pub(crate) fn free_at(&self, paces: &[Pace]) -> u64 {
        self.with_paces(paces).map(|(pace, lane)| lane.free_at(&pace)).max().unwrap_or_default()
    }

    pub(crate) fn rebase(&mut self, paces: &[Pace], from: u64, to: u64) {
        self.for_each(paces, |lane, pace| lane.rebase(pace, from, to));
    }

    /// Puts the lanes of `new` rates in the place of those of the `old` ones. A rate that was there goes on; one with the
    /// interval of a rate that was there starts with the units in use under it; any other starts empty.
    pub(crate) fn adopt(&mut self, old: &[Pace], new: &[Pace], now: u64) {
        let mut pool: Vec<(Pace, L)> = self.with_paces(old).collect();
        let mut own = new.iter().map(|pace| {
            if let Some(place) = pool.iter().position(|(other, _)| L::goes_on(other, pace)) {
                return pool.swap_remove(place).1;
            }
            let same_interval = pool.iter().filter(|(other, _)| other.rate.interval() == pace.rate.interval());
            let used = same_interval.map(|(other, lane)| lane.usage(other, now).0).max().unwrap_or_default();
            let mut lane = L::default();
            if used > 0 {
                lane.charge(pace, now, used);
            }
            lane
        });
        self.first = own.next().unwrap_or_default();
        let own = own.collect();
        pool.retain(|(pace, lane)| lane.free_at(pace) > now);
        // Rates without end, from a route that computes them: those that are settled first are forgotten first.
        pool.sort_by_key(|(pace, lane)| Reverse(lane.free_at(pace)));
        pool.truncate(Self::MOST_OTHERS);
        self.rest = Rest::boxed(own, pool);
    }

    fn own(&self) -> impl Iterator<Item = &L> {
        std::iter::once(&self.first).chain(self.rest.iter().flat_map(|rest| &rest.own))
    }

    /// The lanes with their rates, those in use first.
    pub(crate) fn with_paces(&self, paces: &[Pace]) -> impl Iterator<Item = (Pace, L)> {
        let others = self.rest.iter().flat_map(|rest| rest.others.iter().copied());
        paces.iter().copied().zip(self.own().copied()).chain(others)
    }

    fn for_each(&mut self, paces: &[Pace], mut work: impl FnMut(&mut L, &Pace)) {
        let Some((first, further)) = paces.split_first() else { return };
        work(&mut self.first, first);
        if let Some(rest) = &mut self.rest {
            rest.own.iter_mut().zip(further).for_each(|(lane, pace)| work(lane, pace));
            rest.others.iter_mut().for_each(|(pace, lane)| work(lane, pace));
        }
    }

    /// The lanes as they are stored.
    pub(crate) fn to_parts(&self, paces: &[Pace]) -> Parts {
        let others = self.rest.iter().flat_map(|rest| rest.others.iter());
        Parts {
            own: self.own().take(paces.len()).map(|lane| lane.to_parts()).collect(),
            others: others.map(|(pace, lane)| (pace.rate, lane.to_parts())).collect(),
        }
    }

    /// Lanes from their stored form, if there is one for each rate.
    pub(crate) fn from_parts(paces: &[Pace], parts: Parts) -> Option<Self> {
        if parts.own.len() != paces.len() {
            return None;
        }
        let mut own = paces.iter().zip(parts.own).map(|(pace, parts)| L::from_parts(pace, parts));
        let first = own.next()??;
        let own = own.collect::<Option<Vec<L>>>()?;
        let others = parts.others.into_iter().map(|(rate, parts)| {
            let pace = Pace::new(rate);
            Some((pace, L::from_parts(&pace, parts)?))
        });
        Some(Self { first, rest: Rest::boxed(own, others.collect::<Option<Vec<_>>>()?) })
    }
}
