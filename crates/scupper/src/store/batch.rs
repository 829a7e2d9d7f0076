//! What is asked of a store.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::quota::Quota;
use crate::store::outcome::{Admission, Cursor, Outcome, Reply};
use crate::time::Timestamp;

/// Operations that go to a store together.
///
/// They are carried out in order, each with an outcome of its own. Operations next to each other on the same key are
/// carried out as one: nothing comes between them. Nothing else about a batch is atomic.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    operations: &'a [Operation<'a>],
}

impl<'a> Batch<'a> {
    /// A batch of these operations.
    #[must_use]
    pub const fn new(operations: &'a [Operation<'a>]) -> Self {
        Self { operations }
    }

    /// The operations, in order.
    #[must_use]
    pub const fn operations(&self) -> &'a [Operation<'a>] {
        self.operations
    }

    /// The operations in runs of the same key; a list, whose key is no bucket's, is a run of its own.
    pub fn runs(&self) -> impl Iterator<Item = &'a [Operation<'a>]> {
        let is_list = |operation: &Operation<'_>| matches!(operation.action, Action::List { .. });
        self.operations.chunk_by(move |first, second| first.key == second.key && !is_list(first) && !is_list(second))
    }
}

impl<'a> From<&'a Operation<'a>> for Batch<'a> {
    fn from(operation: &'a Operation<'a>) -> Self {
        Self::new(std::slice::from_ref(operation))
    }
}

/// One thing to do with one bucket.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The bucket; for a list, what the keys begin with.
    pub key: &'a str,
    /// The time to decide at, in place of the store's clock. For callers who keep their own time; all who use the bucket
    /// must then do so. What is owed at such a time is kept for as long on the store's clock, and a minute longer, as the
    /// caller's time may go slower. A list is always of the store's time.
    pub at: Option<Timestamp>,
    /// What to do.
    pub action: Action<'a>,
}

/// What can be done with a bucket.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Action<'a> {
    /// Take `weight` units if all rates have room for them.
    Acquire {
        /// The rates and the algorithm.
        quota: &'a Quota,
        /// Units, at least 1.
        weight: u64,
        /// Where it stands among the other acquires of the batch on the same key.
        standing: Standing,
    },
    /// Look, and change nothing.
    Peek {
        /// The rates and the algorithm to look with.
        quota: &'a Quota,
    },
    /// Give back what an acquire took, or with less weight than it took the last of its units.
    Refund(Admission),
    /// Take units whether or not there is room for them.
    Penalize {
        /// The rates and the algorithm.
        quota: &'a Quota,
        /// Units, at least 1.
        units: u64,
    },
    /// Forget all that was taken, and any hold.
    Reset,
    /// Admit nobody until `duration` has passed on the store's clock. An earlier, longer hold stays.
    Hold {
        /// The rates and the algorithm.
        quota: &'a Quota,
        /// How long from now.
        duration: Duration,
    },
    /// List buckets that owe something, a page at a time.
    List {
        /// Where to go on; none to begin.
        after: Option<&'a Cursor>,
        /// How many keys at the most, at least 1.
        most: usize,
    },
}

/// Where an acquire stands among the others of its batch on the same key.
///
/// # Examples
/// ```
/// use scupper::store::{Action, Operation, Standing};
/// use scupper::{Algorithm, Quota};
///
/// let quota = Quota::new(Algorithm::SlidingWindowLog, "5/s")?;
/// let alone = Operation::acquire("user:42", &quota, 1);
/// assert!(matches!(alone.action, Action::Acquire { standing: Standing::Alone, .. }));
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Standing {
    /// In no line: decided whatever became of the others.
    #[default]
    Alone,
    /// In line, and gone once it is denied: it is denied, with cause *queued*, behind one that waits, and holds up nobody.
    Passing,
    /// In line until it is admitted: if it is denied, those in line behind it are denied with cause *queued*. Requests that
    /// wait are served in their order, up to the first that does not fit.
    Waiting,
}

impl<'a> Operation<'a> {
    /// To take `weight` units if there is room.
    #[must_use]
    pub const fn acquire(key: &'a str, quota: &'a Quota, weight: u64) -> Self {
        Self::new(key, Action::Acquire { quota, weight, standing: Standing::Alone })
    }

    /// To do this with this bucket, at the store's time.
    #[must_use]
    pub const fn new(key: &'a str, action: Action<'a>) -> Self {
        Self { key, at: None, action }
    }

    /// The same at the caller's time.
    #[must_use]
    pub const fn at(mut self, now: Timestamp) -> Self {
        self.at = Some(now);
        self
    }

    /// The quota that the operation brings; without a bucket, one is made of it. A peek brings one, too: it looks at a new
    /// bucket, which is not kept.
    #[must_use]
    pub const fn quota(&self) -> Option<&'a Quota> {
        match self.action {
            Action::Acquire { quota, .. }
            | Action::Peek { quota }
            | Action::Penalize { quota, .. }
            | Action::Hold { quota, .. } => Some(quota),
            Action::Refund(_) | Action::Reset | Action::List { .. } => None,
        }
    }

    /// Whether a bucket that was not there is one that owes something afterwards.
    pub(crate) const fn needs_room(&self) -> bool {
        matches!(self.action, Action::Acquire { .. } | Action::Penalize { .. } | Action::Hold { .. })
    }

    /// Whether the bucket may owe less afterwards.
    pub(crate) const fn gives_back(&self) -> bool {
        matches!(self.action, Action::Refund(_) | Action::Reset)
    }

    /// The answer where there is no bucket and the operation does not make one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an operation that does make one, or a list, which needs none.
    pub fn without_bucket(&self) -> Outcome {
        match self.action {
            Action::Refund(_) => Ok(Reply::Refunded(0)),
            Action::Reset => Ok(Reply::Reset(false)),
            _ => Err(Error::new(ErrorKind::Unsupported, "the store has no answer to this operation without a bucket")),
        }
    }
}
