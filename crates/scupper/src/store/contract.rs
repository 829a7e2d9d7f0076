//! What a store must do.

use std::any::Any;
use std::fmt;

use crate::error::Result;
use crate::quota::Quota;
use crate::store::batch::Batch;
use crate::store::outcome::Verdict;
use crate::store::submission::Submission;
use crate::sync::Arc;

/// Where buckets live. A store owns atomicity and time, nothing else: decisions are made by
/// [`BucketState`](crate::store::BucketState), or by a script that a differential test holds equal to it.
///
/// # What must hold
/// - Each run of operations on one key is atomic: no operation of another batch comes between them.
/// - Operations are decided on the store's clock unless they bring a time, in microseconds, and a clock that steps back
///   frees nothing.
/// - An operation that fails leaves no trace and spoils no other of the batch. A call that was sent and not answered in
///   time is [`ErrorKind::Unknown`](crate::ErrorKind::Unknown), and is not sent again.
/// - A bucket that owes nothing leaves by itself; one that owes anything stays.
/// - [`submit`](Self::submit) does not block on other callers, apart from a lock that is held for a bounded computation. It may
///   wake who waits for other calls: it is asked with no lock held that they take.
///
/// `scupper::conformance` checks all this for any store.
///
/// # A whole store
/// In short: lock, then read the clock; take the bucket or, if the operation brings a quota, make one; pass the operation
/// through the batch's [`Line`](crate::store::Line) to [`BucketState::apply`](crate::store::BucketState::apply); keep a
/// new bucket only if it is [idle from](crate::store::BucketState::idle_from) a later time than now, and drop it once that
/// time has come; list those that are [settled from](crate::store::BucketState::settled_from) a later time. At length:
/// ```
#[doc = include_str!("../../examples/custom_store.rs")]
/// ```
pub trait Store: Any + fmt::Debug + Send + Sync {
    /// Carries out the operations of a batch, in order.
    ///
    /// It cannot fail as a whole: each operation has an outcome, and a store that cannot be reached gives each of them an
    /// error.
    fn submit(&self, batch: Batch<'_>) -> Submission;

    /// Which buckets these are. Stores that answer the same here keep the same buckets, and requests of this process that
    /// wait for them stand in one line, whichever limiter they come from. Where a store is a handle that is cloned, the
    /// address of what the clones share will do; without an implementation of its own, each value is a store for itself.
    fn identity(&self) -> usize {
        std::ptr::from_ref(self).cast::<()>().addr()
    }

    /// Decides on `weight` units at once, in no line, on the store's clock: a short way past [`submit`](Self::submit) for stores
    /// that decide at memory speed. Others need none.
    ///
    /// It is asked before anything else where nobody waits for the key in this process, of a key that is not too long. It is asked
    /// on the caller's thread, which may be an executor's, and no limit of time and no policy of the limiter is around it. So it
    /// makes no call into a disk or a network, wakes nobody, and does not panic. It may take a lock that is held for a bounded
    /// computation, and wait for that a millisecond at the most; if it has not got it by then, as its owner was interrupted or
    /// has died, it gives up.
    ///
    /// An answer counts as one of `submit` would: what is admitted is taken, a denial and [`Verdict::NeverFits`] leave no trace,
    /// and the wait of a denial is exact. It is given only where it is certain.
    ///
    /// `None` says that nothing was done, and nothing else; the same is asked of `submit` then, which waits as it must, and tells
    /// what is wrong. It is the answer to whatever is not plainly admitted or denied: a weight of zero or beyond the maximum, a
    /// bucket of another algorithm or one that is damaged, no room for another bucket, a store that is away, closed, or busy with
    /// what came earlier. It must not be the answer once units were taken, or may have been: they would be taken twice.
    fn acquire_at_once(&self, key: &str, quota: &Quota, weight: u64) -> Option<Verdict> {
        let _ = (key, quota, weight);
        None
    }

    /// A short cut to one bucket, for stores that decide at memory speed. A store without one gives none, and every
    /// decision goes through [`submit`](Self::submit).
    ///
    /// # Errors
    /// Those of an acquire on the same key, for example [`ErrorKind::Capacity`](crate::ErrorKind::Capacity).
    fn pin(&self, key: &str, quota: &Quota) -> Result<Option<Arc<dyn PinnedBucket>>> {
        let _ = (key, quota);
        Ok(None)
    }
}

/// A bucket that needs no looking up. It stays in its store as long as this exists.
pub trait PinnedBucket: Any + fmt::Debug + Send + Sync {
    /// Decides on an acquire of `weight` units, in no line.
    ///
    /// # Errors
    /// Those of an acquire through [`Store::submit`].
    fn acquire(&self, quota: &Quota, weight: u64) -> Result<Verdict>;
}
