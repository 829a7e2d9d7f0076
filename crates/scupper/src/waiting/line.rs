use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::guard::{Answered, GuardedStore};
use crate::sync::Arc;
use crate::time::Timestamp;
use crate::timer::Alarm;
use crate::waiting::queue::Queue;
use crate::waiting::waiter::Waiter;

/// A line with what goes on for it.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) queue: Queue<Arc<Waiter>>,
    pub(super) under_way: Option<UnderWay>,
    pub(super) alarm: Option<Alarm>,
    /// When the call that is under way is looked at again, if it is not answered before.
    pub(super) reminded_at: Option<Timestamp>,
    /// When the first of the calls was made to which the store has said nothing yet.
    pub(super) silent_since: Option<Timestamp>,
}

impl Line {
    /// Whether one who joined then waited for the store rather than for its turn: in a line that moves, a call is under way at
    /// many a deadline, and that is no outage.
    pub(super) fn was_silent(&self, joined: Timestamp, now: Timestamp) -> bool {
        self.silent_since.is_some_and(|since| now.since(since) >= since.since(joined))
    }
}

/// A call to the store.
pub(super) struct UnderWay {
    pub(super) call: Pin<Box<dyn Future<Output = Answered> + Send>>,
    pub(super) store: Arc<GuardedStore>,
    pub(super) sent: Timestamp,
    /// For how many.
    pub(super) asks: usize,
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWay").field("sent", &self.sent).finish_non_exhaustive()
    }
}
