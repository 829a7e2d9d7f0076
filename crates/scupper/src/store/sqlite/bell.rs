use std::time::Duration;

use crate::sync::{Condvar, Mutex, PoisonError, lock};

/// What a thread sleeps at until it is called. It is that thread's alone, so that a child of this process need not have it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    is_rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *lock(&self.is_rung) = true;
        self.changed.notify_one();
    }

    /// Waits until it was rung since last time, or for so long.
    pub(super) fn wait(&self, at_most: Option<Duration>) {
        let mut is_rung = lock(&self.is_rung);
        if !*is_rung {
            is_rung = match at_most {
                Some(pause) => self.changed.wait_timeout(is_rung, pause).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(is_rung).unwrap_or_else(PoisonError::into_inner),
            };
        }
        // Once too early does no harm: whoever is called looks for what there is to do.
        *is_rung = false;
    }
}
