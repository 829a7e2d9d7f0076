use std::time::Duration;

use crate::quota::Quota;
use crate::time::Timestamp;

/// A request as it joins a line.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) quota: Quota,
    /// Whether the quota is the limiter's own, and changes with it.
    pub(crate) follows: bool,
    pub(crate) weight: u64,
    pub(crate) at: Option<Timestamp>,
    /// Whether it waits until it is admitted; if not, it goes when it is denied.
    pub(crate) waits: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) detailed: bool,
}
