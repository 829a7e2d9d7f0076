use crate::sync::{AtomicU64, Ordering};

/// Tells in one look whether a request may go straight to the store: that nobody stands in line anywhere, and that no limiter
/// changed since.
///
/// Apart from all else in memory, as it is read for every decision.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Gate(AtomicU64);

/// What a gate looks like when nobody stands in line, to one who knows of all changes up to then.
#[derive(Debug, Default)]
pub(crate) struct Pass(AtomicU64);

impl Pass {
    pub(crate) const fn new(seen: Seen) -> Self {
        Self(AtomicU64::new(seen.0))
    }

    /// Knows of the changes that had been made when the gate was seen.
    pub(crate) fn renew(&self, seen: Seen) {
        self.0.store(seen.0, Ordering::Release);
    }
}

impl Clone for Pass {
    fn clone(&self) -> Self {
        Self::new(Seen(self.0.load(Ordering::Acquire)))
    }
}

/// All changes up to a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen(u64);

impl Gate {
    const CHANGE: u64 = 1 << 32;
    const LINES: u64 = Self::CHANGE - 1;

    pub(crate) fn look(&self) -> Seen {
        Seen(self.0.load(Ordering::Acquire) & !Self::LINES)
    }

    #[inline(always)]
    pub(crate) fn is_open(&self, pass: &Pass) -> bool {
        self.0.load(Ordering::Acquire) == pass.0.load(Ordering::Relaxed)
    }

    pub(crate) fn has_lines(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::LINES > 0
    }

    pub(super) fn line_opened(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn line_closed(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }

    /// In a child of the process that had the lines: nobody stands there.
    pub(super) fn lines_are_gone(&self) {
        self.0.fetch_and(!Self::LINES, Ordering::AcqRel);
    }

    /// A limiter changed: nobody goes by what it knew.
    pub(crate) fn limiter_changed(&self) {
        self.0.fetch_add(Self::CHANGE, Ordering::AcqRel);
    }
}
