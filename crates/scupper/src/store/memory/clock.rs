use crate::sync::Arc;
use crate::time::Timestamp;
use crate::timer::{SystemTimer, Timer};

/// A timer whose usual kind is known to the compiler: the reading is all that a decision by handle costs.
#[derive(Clone, Debug)]
pub(super) enum Clock {
    System(SystemTimer),
    Other(Arc<dyn Timer>),
}

impl Clock {
    #[inline]
    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::System(timer) => timer.read(),
            Self::Other(timer) => timer.now(),
        }
    }

    /// The time if it can be had without a call.
    #[inline(always)]
    pub(super) fn glance(&self) -> Option<Timestamp> {
        match self {
            Self::System(timer) => timer.glance(),
            Self::Other(_) => None,
        }
    }

    pub(super) fn timer(&self) -> &dyn Timer {
        match self {
            Self::System(timer) => timer,
            Self::Other(timer) => &**timer,
        }
    }
}
