//! What becomes of the answers on one connection.

use std::time::{Duration, Instant};

/// What a fault has left in force on a connection, for what the server answers. The era is that of the fault.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Rule {
    #[default]
    Pass,
    Delay {
        by: Duration,
        era: u64,
    },
    Hold {
        era: u64,
    },
    /// Nothing passes, and when the server has closed its end, so does the proxy.
    Swallow {
        era: u64,
    },
    /// Only so many bytes pass.
    First {
        bytes: usize,
        era: u64,
    },
}

/// What the server has answered, on its way.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    pub(super) delayed: Option<Delayed>,
}

/// Until when an answer waits, unless the fault is changed before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delayed {
    pub(super) until: Instant,
    pub(super) era: u64,
}

impl Rule {
    /// Whether the connection is lost, whatever becomes of the fault.
    pub(super) fn is_cut(self) -> bool {
        matches!(self, Self::Swallow { .. } | Self::First { .. })
    }

    /// How many of so many bytes go on.
    pub(super) fn passing(self, length: usize) -> usize {
        match self {
            Self::Swallow { .. } => 0,
            Self::First { bytes, .. } => length.min(bytes),
            Self::Pass | Self::Delay { .. } | Self::Hold { .. } => length,
        }
    }

    pub(super) fn delay_from_now(self) -> Option<Delayed> {
        match self {
            Self::Delay { by, era } => Some(Delayed { until: Instant::now() + by, era }),
            _ => None,
        }
    }
}
