use std::time::Duration;

use crate::store::coalesce::Bounds;

/// How a store in Redis is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// How long making a connection may take, all of it.
    pub(super) connect_within: Duration,
    /// After this time without an answer, a connection is given up.
    pub(super) answer_within: Duration,
    pub(super) bounds: Bounds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // Below the second that a call may take by default, so that there is a reason to tell when it ends.
            connect_within: Duration::from_millis(750),
            answer_within: Duration::from_secs(5),
            bounds: Bounds { calls: 2, operations: 512, waiting: 65_536, patience: Duration::from_millis(500) },
        }
    }
}
