//! What is given back for those who have gone.

use crate::error::Result;
use crate::guard::{GuardedStore, Late, detach};
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::Verdict;
use crate::sync::Arc;
use crate::waiting::server::Server;

impl Server {
    /// Gives back what was admitted for one who has gone.
    pub(super) fn take_back(self: &Arc<Self>, store: &Arc<GuardedStore>, ruling: &Result<Ruling>) {
        if let Ok(Ruling { verdict: Verdict::Admitted(admission), source, .. }) = ruling {
            let refunded = store.refund(&self.key, *admission, *source);
            let this = Arc::clone(self);
            detach(async move {
                // If it fails, the units stay charged for their window.
                let _ = refunded.await;
                this.bucket_released();
            });
        }
    }

    pub(super) fn take_back_late(self: &Arc<Self>, store: &Arc<GuardedStore>, late: Late) {
        let (this, store) = (Arc::clone(self), Arc::clone(store));
        detach(async move {
            for admission in late.unused().await {
                let _ = store.refund(&this.key, admission, Source::Store).await;
            }
            this.bucket_released();
        });
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
