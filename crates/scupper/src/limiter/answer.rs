use crate::error::{Error, ErrorKind, Result};
use crate::store::{Outcomes, Reply, Submission, Verdict};

/// What a store says, and how to read it: blocking and asynchronous callers differ in how they wait for it, and in
/// nothing else.
#[must_use]
pub(super) enum Answer<T> {
    Ready(Result<T>),
    Submitted(Submission, fn(Outcomes) -> Result<T>),
}

impl<T> Answer<T> {
    #[inline]
    pub(super) fn wait(self) -> Result<T> {
        match self {
            Self::Ready(answer) => answer,
            Self::Submitted(submission, read) => read(submission.wait()),
        }
    }

    pub(super) async fn get(self) -> Result<T> {
        match self {
            Self::Ready(answer) => answer,
            Self::Submitted(submission, read) => read(submission.await),
        }
    }
}

/// The one reply of a batch of one operation.
#[inline]
pub(super) fn only(mut outcomes: Outcomes) -> Result<Reply> {
    outcomes.pop().unwrap_or_else(|| Err(unexpected("nothing")))
}

#[inline]
pub(super) fn verdict(outcomes: Outcomes) -> Result<Verdict> {
    match only(outcomes)? {
        Reply::Acquired(verdict) => Ok(verdict),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

/// A store that does not keep the contract.
#[cold]
pub(super) fn unexpected(reply: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the store answered {reply}, which is no answer to this operation"))
}
