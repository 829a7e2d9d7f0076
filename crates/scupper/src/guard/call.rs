use std::future::Future;
use std::pin::Pin;

use crate::error::Result;
use crate::ruling::Ruling;
use crate::store::{Admission, Outcome, Outcomes, Reply, SubmissionFuture, Verdict};

/// A call to the store for some requests on one key.
pub(crate) enum Call {
    /// It is over.
    Ready(Answered),
    /// It is under way, and goes on without being polled.
    Pending(Pin<Box<dyn Future<Output = Answered> + Send>>),
}

/// What came of a call.
pub(crate) struct Answered {
    /// One a request, in their order.
    pub(crate) rulings: Vec<Result<Ruling>>,
    /// The call itself, if it did not end in time.
    pub(crate) late: Option<Late>,
}

/// A call that nobody waits for any more. Its units may have been taken.
pub(crate) struct Late {
    pub(super) call: SubmissionFuture,
    /// Who was asked for, in order.
    pub(super) requests: Vec<LateRequest>,
}

/// A request that was given up.
pub(super) struct LateRequest {
    /// Whether it was let pass meanwhile, so that its units are used.
    pub(super) is_used: bool,
    /// As how many operations it was asked for.
    pub(super) operations: usize,
}

impl Late {
    /// The request at this place was let pass, and nobody was there any more.
    pub(crate) fn was_gone(&mut self, place: usize) {
        if let Some(request) = self.requests.get_mut(place) {
            request.is_used = false;
        }
    }

    /// What the call took after all and nobody uses.
    pub(crate) async fn unused(self) -> Vec<Admission> {
        let outcomes: Outcomes = self.call.await;
        let unused = |(outcome, used): (Outcome, bool)| match outcome {
            Ok(Reply::Acquired(Verdict::Admitted(admission))) if !used => Some(admission),
            _ => None,
        };
        let used = |request: LateRequest| std::iter::repeat_n(request.is_used, request.operations);
        outcomes.into_iter().zip(self.requests.into_iter().flat_map(used)).filter_map(unused).collect()
    }
}
