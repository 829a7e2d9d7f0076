//! One bucket, which is a store of its own: that of one Python object.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scupper::store::{Batch, Line, Outcomes, Store, Submission};

use crate::fork::Section;
use crate::kept::Kept;

/// A bucket with its lock. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct OneBucket(Arc<Mutex<Kept>>);

impl OneBucket {
    pub(crate) fn new(kept: Kept) -> Self {
        Self(Arc::new(Mutex::new(kept)))
    }

    /// For threads that have the interpreter, and not to be held while Python code runs.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for OneBucket {
    /// Also on the thread that serves those who wait, where nobody else keeps a fork off.
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let _section = Section::enter();
        let mut kept = self.lock();
        let mut line = Line::default();
        let pass = |operation| line.pass(operation, || kept.apply(operation));
        Submission::Ready(batch.operations().iter().map(pass).collect::<Outcomes>())
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}
