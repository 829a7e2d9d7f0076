use std::fmt;

use crate::error::Result;
use crate::quota::Quota;
use crate::store::contract::PinnedBucket;
use crate::store::memory::pinned::Pinned;
use crate::store::memory::table::Table;
use crate::store::outcome::{Admission, Denial, Verdict};
use crate::sync::{Arc, Weak};

/// What a user of a pinned bucket holds. The bucket must be given up before its home is told, hence the order.
pub(crate) struct Handle {
    bucket: Arc<Pinned>,
    _release: Release,
}

struct Release {
    home: Weak<Table>,
    hash: u64,
}

impl Handle {
    pub(super) fn new(bucket: Arc<Pinned>, home: &Arc<Table>, hash: u64) -> Self {
        Self { bucket, _release: Release { home: Arc::downgrade(home), hash } }
    }
}

impl Handle {
    /// As [`Pinned::admit_one`].
    #[inline(always)]
    pub(crate) fn admit_one(&self, quota: &Quota) -> Option<Admission> {
        self.bucket.admit_one(quota)
    }

    /// As [`Pinned::known_denial`].
    #[inline(always)]
    pub(crate) fn known_denial(&self, quota: &Quota) -> Option<Denial> {
        self.bucket.known_denial(quota)
    }
}

impl PinnedBucket for Handle {
    fn acquire(&self, quota: &Quota, weight: u64) -> Result<Verdict> {
        self.bucket.acquire(quota, weight)
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            home.released(self.hash);
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.bucket).finish()
    }
}
