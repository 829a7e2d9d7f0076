/// Why a request does not fit now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// The first microsecond at which it fits if nobody else comes.
    pub(crate) until: u64,
    /// The place in the list of the rate that binds until then.
    pub(crate) rate: usize,
}

impl Blocked {
    /// The rate that is the last to have room, by when each has; none if all have room at `now`.
    pub(crate) fn last(free_from: impl Iterator<Item = u64>, now: u64) -> Option<Self> {
        let mut last = None;
        for (rate, until) in free_from.enumerate() {
            if until > last.map_or(now, |blocked: Self| blocked.until) {
                last = Some(Self { until, rate });
            }
        }
        last
    }
}
