use crate::algorithm::lanes::{Lane, Refund};
use crate::pace::{Pace, Span};

/// The generic cell rate algorithm: when all that was admitted will have drained.
///
/// The time is kept in whole microseconds and parts of one counted in the rate's limit, so that no rate drifts: at
/// 3,000,000 per second a unit drains in exactly a third of a microsecond.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gcra {
    drained: Span,
}

impl Lane for Gcra {
    #[inline(always)]
    fn free_from(&self, pace: &Pace, _now: u64, weight: u64) -> u64 {
        // As the weight is at most the burst, it fits whenever everything has drained.
        self.drained.minus(pace.slack(weight), pace.rate.limit()).ceil()
    }

    #[inline(always)]
    fn charge_one(&mut self, pace: &Pace, now: u64) -> bool {
        let slack = pace.slack(1);
        if self.drained > (Span { whole: now.saturating_add(slack.whole), ..slack }) {
            return false;
        }
        let start = if self.drained.whole < now { Span::micros(now) } else { self.drained };
        self.drained = start.plus_within(pace.unit, pace.rate.limit());
        true
    }

    #[inline(always)]
    fn charge(&mut self, pace: &Pace, now: u64, weight: u64) {
        self.drained = self.drained.max(Span::micros(now)).plus(pace.span(weight), pace.rate.limit());
    }

    /// What the permit still adds to the level. Had it never been given, the bucket would either never have run empty
    /// since, so that all of it is still there, or hold no more than what came later: the rest is certainly the permit's.
    fn refund(&mut self, pace: &Pace, now: u64, refund: &Refund) -> u64 {
        let limit = pace.rate.limit();
        let level = self.drained.minus(Span::micros(now), limit);
        let mine = level.minus(pace.span(refund.later), limit).min(pace.span(refund.weight));
        self.drained = self.drained.minus(mine, limit);
        mine.units_ceil(pace.rate)
    }

    fn usage(&self, pace: &Pace, now: u64) -> (u64, u64) {
        let level = self.drained.minus(Span::micros(now), pace.rate.limit());
        (level.units_ceil(pace.rate), self.drained.ceil().max(now))
    }

    fn free_at(&self, _pace: &Pace) -> u64 {
        self.drained.ceil()
    }

    fn rebase(&mut self, pace: &Pace, from: u64, to: u64) {
        self.drained = self.drained.minus(Span::micros(from - to), pace.rate.limit());
    }

    fn goes_on(old: &Pace, new: &Pace) -> bool {
        old.rate.limit() == new.rate.limit() && old.rate.interval() == new.rate.interval()
    }

    fn to_parts(self) -> (u64, u64) {
        (self.drained.whole, self.drained.part)
    }

    fn from_parts(pace: &Pace, (whole, part): (u64, u64)) -> Option<Self> {
        (part < pace.rate.limit()).then_some(Self { drained: Span { whole, part } })
    }
}
