/// Why a request does not fit now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// The first microsecond at which it fits if nobody else comes.
    pub(crate) until: u64,
    /// The place in the list of the rate that binds until then.
    pub(crate) rate: usize,
}

impl Blocked {
    /// The later of two, the first of equals.
    #[inline]
    pub(crate) fn later(first: Option<Self>, second: Self) -> Option<Self> {
        match first {
            Some(first) if first.until >= second.until => Some(first),
            _ => Some(second),
        }
    }
}
