use crate::store::memory::shard::Walk;
use crate::timer::Alarm;

/// The sweep that is planned or under way.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    pub(super) alarm: Option<Alarm>,
    /// How many alarms were set: the last counts.
    pub(super) plan: u64,
    /// The clock has stepped back: no shard knows when its buckets can leave.
    pub(super) looks_everywhere: bool,
    pub(super) shard: usize,
    pub(super) walk: Walk,
}

impl Sweep {
    /// Begins anew, with every shard.
    pub(super) fn look_everywhere(&mut self) {
        (self.shard, self.walk, self.looks_everywhere) = (0, Walk::default(), true);
    }
}
