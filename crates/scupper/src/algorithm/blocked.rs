/// Why a request does not fit now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// The first microsecond at which it fits if nobody else comes.
    pub(crate) until: u64,
    /// The place in the list of the rate that binds until then.
    pub(crate) rate: usize,
}

impl Blocked {
    /// The later of the two, the first of equals.
    #[inline(always)]
    pub(crate) fn or_later(first: Option<Self>, second: Self) -> Self {
        first.filter(|first| first.until >= second.until).unwrap_or(second)
    }

    /// The rate that is the last to have room, by when each has; none if all have room at `now`.
    pub(crate) fn last(free_from: impl Iterator<Item = u64>, now: u64) -> Option<Self> {
        let blocked = free_from.enumerate().filter(|(_, until)| *until > now);
        blocked.fold(None, |last, (rate, until)| Some(Self::or_later(last, Self { until, rate })))
    }
}

/// What the short way says of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// It fits, and was counted.
    Charged,
    /// It does not fit.
    Blocked(Blocked),
    /// The short way is not enough; nothing was counted.
    Undecided,
}
