//! The even pace of a rate, without division and without drift.

use crate::rate::Rate;

/// A rate with what an even pace needs to be computed without division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) rate: Rate,
    /// The time that one unit takes to drain.
    pub(crate) unit: Span,
    /// The time that a full burst takes to drain.
    pub(crate) burst: Span,
    /// The time that all of a burst but one unit takes to drain.
    but_one: Span,
}

impl Pace {
    pub(crate) fn new(rate: Rate) -> Self {
        let (unit, burst) = (Span::of(1, rate), Span::of(rate.burst(), rate));
        Self { rate, unit, burst, but_one: burst.minus(unit, rate.limit()) }
    }

    /// The time that `units` take to drain.
    #[inline(always)]
    pub(crate) fn span(&self, units: u64) -> Span {
        if units == 1 { self.unit } else { Span::of(units, self.rate) }
    }

    /// The time that may still be draining when `units` come.
    #[inline(always)]
    pub(crate) fn slack(&self, units: u64) -> Span {
        if units == 1 { self.but_one } else { self.burst.minus(self.span(units), self.rate.limit()) }
    }

    /// Microseconds for which an admission can matter to this rate.
    pub(crate) fn retention(&self) -> u64 {
        self.rate.interval_micros().max(self.burst.ceil())
    }
}

/// A time as `whole` microseconds and `part` of one, counted in the rate's limit: exact at every rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) whole: u64,
    pub(crate) part: u64,
}

impl Span {
    pub(crate) const fn micros(whole: u64) -> Self {
        Self { whole, part: 0 }
    }

    /// The time that `units` take to drain at `rate`: `units × interval / limit`, at most `u64::MAX` microseconds.
    pub(crate) fn of(units: u64, rate: Rate) -> Self {
        let micros = u128::from(units) * u128::from(rate.interval_micros());
        let limit = u128::from(rate.limit());
        match u64::try_from(micros / limit) {
            // The remainder is below the limit, which is a u64.
            Ok(whole) => Self { whole, part: u64::try_from(micros % limit).unwrap_or_default() },
            Err(_) => Self::micros(u64::MAX),
        }
    }

    #[inline(always)]
    pub(crate) fn plus(self, other: Self, limit: u64) -> Self {
        let part = self.part + other.part;
        let carry = part >= limit;
        Self {
            whole: self.whole.saturating_add(other.whole).saturating_add(u64::from(carry)),
            part: if carry { part - limit } else { part },
        }
    }

    /// The sum where it is known to be far from the end of time.
    #[inline(always)]
    pub(crate) fn plus_within(self, other: Self, limit: u64) -> Self {
        let (whole, part) = (self.whole + other.whole, self.part + other.part);
        if part >= limit { Self { whole: whole + 1, part: part - limit } } else { Self { whole, part } }
    }

    /// The difference, zero if `other` is longer.
    #[inline(always)]
    pub(crate) fn minus(self, other: Self, limit: u64) -> Self {
        if self <= other {
            return Self::default();
        }
        let borrow = self.part < other.part;
        Self {
            whole: self.whole - other.whole - u64::from(borrow),
            part: if borrow { self.part + limit - other.part } else { self.part - other.part },
        }
    }

    /// Whole microseconds, rounded up.
    #[inline(always)]
    pub(crate) const fn ceil(self) -> u64 {
        self.whole.saturating_add((self.part > 0) as u64)
    }

    /// How many units take this long to drain at `rate`, rounded up.
    pub(crate) fn units_ceil(self, rate: Rate) -> u64 {
        u64::try_from(self.parts(rate).div_ceil(u128::from(rate.interval_micros()))).unwrap_or(u64::MAX)
    }

    fn parts(self, rate: Rate) -> u128 {
        u128::from(self.whole) * u128::from(rate.limit()) + u128::from(self.part)
    }
}
