//! What is given back for those who have gone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::detached::detach;
use crate::error::Result;
use crate::guard::{Afterwards, GuardedStore, Late};
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::{Admission, Submission, Verdict};
use crate::sync::Arc;
use crate::waiting::server::Server;

impl Server {
    /// Gives back what was admitted for one who has gone.
    pub(super) fn take_back(self: &Arc<Self>, store: &Arc<GuardedStore>, ruling: &Result<Ruling>) {
        if let Ok(Ruling { verdict: Verdict::Admitted(admission), source, .. }) = ruling {
            self.give_back(store, *admission, *source);
        }
    }

    /// Gives back what a call that was given up took after all.
    pub(super) fn take_back_late(self: &Arc<Self>, store: &Arc<GuardedStore>, late: Late) {
        let (this, store) = (Arc::clone(self), Arc::clone(store));
        detach(async move {
            for admission in late.unused().await {
                this.give_back(&store, admission, Source::Store);
            }
        });
    }

    fn give_back(self: &Arc<Self>, store: &GuardedStore, admission: Admission, source: Source) {
        let afterwards = || -> Option<Afterwards> {
            let this = Arc::clone(self);
            Some(Box::new(move || this.bucket_released()))
        };
        // A store that panics here must not keep others from their answers.
        let refund = catch_unwind(AssertUnwindSafe(|| store.refund(&self.key, admission, source, afterwards)));
        match refund {
            Ok(Submission::Ready(_)) => self.bucket_released(),
            // It goes on by itself. If it fails, the units stay charged for their window.
            Ok(pending @ Submission::Pending(_)) => drop(pending),
            Err(_) => {}
        }
    }

    /// Something was given back to the bucket, whoever serves the line on it now.
    fn bucket_released(self: &Arc<Self>) {
        let current = self.directory.upgrade().and_then(|directory| directory.find(&self.key));
        match current {
            Some(current) => current.release(),
            None => self.denials.forget(&self.key),
        }
    }
}
