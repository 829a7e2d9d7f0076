use std::collections::VecDeque;

/// Units up to and with each event of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) ends: VecDeque<u64>,
    /// Units before the first event.
    pub(crate) base: u64,
}

impl Totals {
    /// Above this the running totals start anew, and more than this is not counted, so that they never wrap. Only millions
    /// of the largest penalties within one window come near it.
    pub(crate) const HIGHEST: u64 = 1 << 62;

    pub(crate) fn end(&self) -> u64 {
        self.ends.back().copied().unwrap_or(self.base)
    }

    pub(crate) fn before(&self, event: usize) -> u64 {
        event.checked_sub(1).map_or(self.base, |previous| self.ends[previous])
    }

    pub(crate) fn renumber(&mut self) {
        self.ends.iter_mut().for_each(|end| *end -= self.base);
        self.base = 0;
    }
}
