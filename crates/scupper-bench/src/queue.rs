//! A way to wait for one unit after the other, and how long one must wait at best.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::limit::Limit;

/// Waits for one unit.
pub(crate) type Wait = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// How one asks and waits.
#[derive(Clone)]
pub(crate) enum Ask {
    Task(Arc<dyn Fn() -> Wait + Send + Sync>),
    Thread(Arc<dyn Fn() -> Result<()> + Send + Sync>),
}

/// How a limiter gives out again what has been used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refill {
    /// The whole limit at once, each time so long after the last.
    Every(Duration),
    /// One unit after the other, so long apart.
    OneEach(Duration),
}

/// One limiter that is new and full, and how to wait for it.
pub(crate) struct Queue {
    pub(crate) name: &'static str,
    pub(crate) ask: Ask,
    pub(crate) refill: Refill,
    /// Sends away the threads that still wait. Tasks just go.
    pub(crate) close: Box<dyn Fn() + Send + Sync>,
}

impl Refill {
    /// When the last of `grants` is given at the earliest, counted from the first.
    pub(crate) fn ideal(self, limit: Limit, grants: u32) -> Duration {
        match self {
            Self::Every(interval) => interval * (grants.saturating_sub(1) / limit.requests),
            Self::OneEach(spacing) => spacing * grants.saturating_sub(limit.requests),
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Queue").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_windows_of_fifty_are_over_after_nine_intervals() {
        let limit = Limit::new(50, Duration::from_millis(500));
        let closed = limit.interval + Duration::from_micros(1);
        assert_eq!(Refill::Every(closed).ideal(limit, 500), Duration::from_micros(4_500_009));
        assert_eq!(Refill::Every(limit.interval).ideal(limit, 50), Duration::ZERO);
        assert_eq!(Refill::Every(limit.interval).ideal(limit, 51), limit.interval);
        assert_eq!(Refill::OneEach(limit.spacing()).ideal(limit, 500), Duration::from_millis(4_500));
    }
}
