//! The answer of a store, at once or later.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use smallvec::SmallVec;

use crate::error::{Error, ErrorKind};
#[cfg(any(feature = "postgres", feature = "redis", feature = "shared-memory"))]
use crate::store::batch::Batch;
use crate::store::outcome::Outcome;
use crate::timer::block_on;

/// The outcomes of a batch, one an operation, in their order.
///
/// # Examples
/// ```
/// use scupper::store::{Outcomes, Reply, Submission};
///
/// let outcomes: Outcomes = [true, false].into_iter().map(|had| Ok(Reply::Reset(had))).collect();
/// assert_eq!(Submission::Ready(outcomes).wait().len(), 2);
/// ```
pub type Outcomes = SmallVec<[Outcome; 1]>;

/// A batch that was handed to a store. Where the documentation speaks of a remote store, it means one that answers later.
///
/// A pending one may wake who waits for it from a thread of the store's own; such a waker must not block there.
/// It goes on without the caller's thread and whether or not it is polled: waiting for it with
/// [`wait`](Self::wait) is safe anywhere, and dropping it does not stop what was sent. Its future is polled by whichever thread
/// wakes it, also within the wake-up itself, so it must be woken without a lock that polling takes.
///
/// # Examples
/// ```
/// use scupper::store::{Outcomes, Reply, Submission};
///
/// # pollster::block_on(async {
/// let answer = async { Outcomes::from_iter([Ok(Reply::Reset(true))]) };
/// let outcomes = Submission::Pending(Box::pin(answer)).await;
/// assert_eq!(outcomes[0].as_ref().unwrap(), &Reply::Reset(true));
/// # });
/// ```
#[must_use = "a submission holds the outcomes"]
pub enum Submission {
    /// The store has answered.
    Ready(Outcomes),
    /// The store will answer.
    Pending(Pin<Box<dyn Future<Output = Outcomes> + Send>>),
}

impl Submission {
    /// The outcome of one operation, at once.
    ///
    /// # Examples
    /// ```
    /// use scupper::store::{Reply, Submission};
    ///
    /// assert!(matches!(Submission::ready(Ok(Reply::Refunded(1))), Submission::Ready(_)));
    /// ```
    #[inline]
    pub fn ready(outcome: Outcome) -> Self {
        let mut outcomes = Outcomes::new();
        outcomes.push(outcome);
        Self::Ready(outcomes)
    }

    /// One error for all operations of a batch.
    #[cfg(any(feature = "postgres", feature = "redis", feature = "shared-memory"))]
    #[cold]
    pub(crate) fn failed(batch: Batch<'_>, error: &Error) -> Self {
        Self::Ready(batch.operations().iter().map(|_| Err(error.again())).collect())
    }

    /// Blocks the calling thread until the store has answered.
    ///
    /// # Examples
    /// ```
    /// use scupper::store::{Reply, Submission};
    ///
    /// let outcomes = Submission::ready(Ok(Reply::Refunded(1))).wait();
    /// assert_eq!(outcomes[0].as_ref().unwrap(), &Reply::Refunded(1));
    /// ```
    #[must_use]
    #[inline]
    pub fn wait(self) -> Outcomes {
        match self {
            Self::Ready(outcomes) => outcomes,
            Self::Pending(future) => block_on(future, |_| false),
        }
    }
}

impl IntoFuture for Submission {
    type Output = Outcomes;
    type IntoFuture = SubmissionFuture;

    fn into_future(self) -> SubmissionFuture {
        SubmissionFuture(Some(self))
    }
}

/// Waits for the outcomes of a [`Submission`].
///
/// # Examples
/// ```
/// use scupper::store::{Reply, Submission};
///
/// let future = Submission::ready(Ok(Reply::Refunded(1))).into_future();
/// assert_eq!(pollster::block_on(future).len(), 1);
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct SubmissionFuture(Option<Submission>);

impl Future for SubmissionFuture {
    type Output = Outcomes;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcomes> {
        match self.0.take() {
            Some(Submission::Ready(outcomes)) => Poll::Ready(outcomes),
            Some(Submission::Pending(mut future)) => match future.as_mut().poll(cx) {
                Poll::Ready(outcomes) => Poll::Ready(outcomes),
                Poll::Pending => {
                    self.0 = Some(Submission::Pending(future));
                    Poll::Pending
                }
            },
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(outcomes) => f.debug_tuple("Ready").field(outcomes).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

/// A store that does not keep the contract.
#[cold]
pub(crate) fn unexpected(reply: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the store answered {reply}, which is no answer to this operation"))
}
