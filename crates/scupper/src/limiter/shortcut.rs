use std::any::Any;

use crate::error::Result;
use crate::quota::Quota;
use crate::store::{Admission, Denial, MemoryHandle, PinnedBucket, Verdict};
use crate::sync::Arc;

/// The way of a handle to its bucket. The memory store's is known to the compiler: a call through a table, and an answer
/// passed in memory, would cost as much as the decision.
#[derive(Clone, Debug)]
pub(super) enum Shortcut {
    Memory(Arc<MemoryHandle>),
    Other(Arc<dyn PinnedBucket>),
}

impl Shortcut {
    pub(super) fn new(pinned: Arc<dyn PinnedBucket>) -> Self {
        let any: Arc<dyn Any + Send + Sync> = Arc::clone(&pinned) as _;
        any.downcast().map_or(Self::Other(pinned), Self::Memory)
    }

    /// An admission of one unit if there is nothing else to say; if there is none, ask [`acquire`](Self::acquire).
    #[inline(always)]
    pub(super) fn admit_one(&self, quota: &Quota) -> Option<Admission> {
        match self {
            Self::Memory(handle) => handle.admit_one(quota),
            Self::Other(_) => None,
        }
    }

    /// A denial that needs no closer look; if there is none, ask [`acquire`](Self::acquire).
    #[inline(always)]
    pub(super) fn known_denial(&self, quota: &Quota) -> Option<Denial> {
        match self {
            Self::Memory(handle) => handle.known_denial(quota),
            Self::Other(_) => None,
        }
    }

    pub(super) fn acquire(&self, quota: &Quota, weight: u64) -> Result<Verdict> {
        match self {
            Self::Memory(handle) => handle.acquire(quota, weight),
            Self::Other(pinned) => pinned.acquire(quota, weight),
        }
    }
}
