use crate::quota::Quota;

/// What becomes of requests when the store cannot tell: it is away, or did not answer in time.
///
/// An outage is an error of kind [`Unavailable`](crate::ErrorKind::Unavailable) or [`Unknown`](crate::ErrorKind::Unknown)
/// to an acquire. Other errors are always reported: a full table, a full queue, a mismatch of algorithms, and what time does not
/// mend and is [`InvalidConfig`](crate::ErrorKind::InvalidConfig), such as a wrong password, a right that was taken away or a schema
/// that is missing. So are those of looking, giving back, penalizing, holding, resetting and listing.
///
/// A request that waits, whose call was sent and not answered, and which the policy would not admit, is told
/// [`Unknown`](crate::ErrorKind::Unknown) under every policy: what may have been carried out is not asked for again. A deadline
/// that passes during the call ends the wait in the same way: the policy admits the request then, or it is told
/// [`Unknown`](crate::ErrorKind::Unknown). What the store admits for it yet is given back. The policy decides as well on one that
/// was not sent, behind a call that is not answered for so long that it waited for the store rather than for its turn; where the
/// policy does not admit it, or is [`Error`](Self::Error), it is told [`Timeout`](crate::ErrorKind::Timeout).
///
/// With all but [`Error`](Self::Error), the store is left alone for a second of the limiter's timer after an outage was noticed;
/// then one request tries it, and if it is answered, all go to the store again.
///
/// # Examples
/// ```
/// use scupper::{Algorithm, Limiter, OutagePolicy, Quota};
///
/// // While the store is away, each process goes on by itself, at a tenth of the rates.
/// let local = Quota::new(Algorithm::SlidingWindowLog, "10/s")?;
/// let limiter = Limiter::builder().rates(["100/s".parse()?]).on_outage(OutagePolicy::Fallback(local)).build()?;
/// assert!(limiter.try_acquire("user:42")?.is_admitted());
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutagePolicy {
    /// The error is reported: the caller decides. The default.
    #[default]
    Error,
    /// Requests pass, counted nowhere: more than the rates allow may come through.
    FailOpen,
    /// Requests are denied, with cause [`Outage`](crate::Cause::Outage); those that may wait do.
    FailClosed,
    /// This process decides by itself, in its memory and under these rates, beginning with empty buckets. What the store
    /// counted before and what is admitted meanwhile do not know of each other; a permit or a reservation of the fallback is
    /// given back and settled there. A hold counts for both, also while the store is away.
    ///
    /// A request that the fallback's rates never allow, and the store's may, is denied with cause
    /// [`Outage`](crate::Cause::Outage), or waits for the store.
    Fallback(Quota),
}
