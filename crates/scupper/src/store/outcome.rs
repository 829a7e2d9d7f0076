//! What a store answers to one operation.

use std::time::Duration;

use crate::error::Error;
use crate::rate::Rate;
use crate::time::Timestamp;

/// The answer to one operation of a batch. An error is that operation's alone.
///
/// # Examples
/// ```
/// use scupper::store::{Outcome, Reply};
/// use scupper::{Error, ErrorKind};
///
/// let away: Outcome = Err(Error::new(ErrorKind::Unavailable, "the server is away"));
/// let outcomes = [Ok(Reply::Reset(true)), away];
/// assert!(outcomes[0].is_ok());
/// ```
pub type Outcome = Result<Reply, Error>;

/// An answer, by the operation that was asked for.
///
/// # Examples
/// ```
/// use scupper::store::{Action, BucketState, Operation, Reply};
/// use scupper::{Algorithm, Quota, Timestamp};
///
/// let quota = Quota::new(Algorithm::default(), "5/s")?;
/// let mut bucket = BucketState::new(&quota, Timestamp::ZERO);
/// let penalize = Operation::new("user:42", Action::Penalize { quota: &quota, units: 3 });
/// assert_eq!(bucket.apply(&penalize, Timestamp::ZERO)?, Reply::Penalized(Timestamp::ZERO));
/// let reset = Operation::new("user:42", Action::Reset);
/// assert_eq!(bucket.apply(&reset, Timestamp::ZERO)?, Reply::Reset(true));
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// To an acquire.
    Acquired(Verdict),
    /// To a peek.
    Peeked(Snapshot),
    /// To a refund: the units that could still be given back, a part of one counted as one. Zero if they have left
    /// every window, if the bucket was reset since, or if it is not there any more.
    Refunded(u64),
    /// To a penalty: the tick at which it was counted.
    Penalized(Timestamp),
    /// To a reset: whether there was anything to forget.
    Reset(bool),
    /// To a hold: nobody is admitted before this tick.
    Held(Timestamp),
    /// To a list.
    Listed(Page),
}

impl Reply {
    /// Whether the bucket was part of it: something changed, or would have but for what is in it.
    pub(crate) const fn concerns_the_bucket(&self) -> bool {
        match self {
            Self::Acquired(verdict) => !matches!(verdict, Verdict::NeverFits { .. }),
            Self::Refunded(units) => *units > 0,
            Self::Penalized(_) | Self::Reset(_) | Self::Held(_) => true,
            Self::Peeked(_) | Self::Listed(_) => false,
        }
    }
}

/// The decision on an acquire.
///
/// # Examples
/// ```
/// use scupper::store::{Admission, BucketState, Operation, Reply, Verdict};
/// use scupper::{Algorithm, Quota, Timestamp};
///
/// let quota = Quota::new(Algorithm::default(), "5/s")?;
/// let mut bucket = BucketState::new(&quota, Timestamp::ZERO);
/// let mut acquire = |weight| bucket.apply(&Operation::acquire("user:42", &quota, weight), Timestamp::ZERO);
///
/// let admission = Admission { tick: Timestamp::ZERO, weight: 3, sequence: 3 };
/// assert_eq!(acquire(3)?, Reply::Acquired(Verdict::Admitted(admission)));
/// assert_eq!(acquire(6)?, Reply::Acquired(Verdict::NeverFits { rate: 0 }));
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The units were taken.
    Admitted(Admission),
    /// Nothing was taken, and it would have to wait.
    Denied(Denial),
    /// Nothing was taken: heavier than `rate`, by its place in the quota's list, ever allows.
    NeverFits {
        /// The place of that rate in the quota's list.
        rate: usize,
    },
}

/// The units of one acquire, as the bucket counted them. What a refund gives back.
///
/// # Examples
/// ```
/// use scupper::Timestamp;
/// use scupper::store::{Action, Admission, Operation};
///
/// let admission = Admission { tick: Timestamp::from_micros(7), weight: 3, sequence: 12 };
/// let refund = Operation::new("user:42", Action::Refund(admission));
/// assert!(refund.quota().is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Admission {
    /// When the units were counted, on the store's clock.
    pub tick: Timestamp,
    /// Units taken.
    pub weight: u64,
    /// All units that this bucket had counted then, these included. It grows for as long as the store keeps the bucket, wraps
    /// at the end of `u64`, and begins anew with a bucket that was forgotten.
    pub sequence: u64,
}

/// Why and for how long an acquire was denied.
///
/// # Examples
/// ```
/// use scupper::store::{Cause, Denial};
/// use scupper::Timestamp;
///
/// let retry_at = Timestamp::from_micros(1_000_001);
/// let denial = Denial { now: Timestamp::ZERO, retry_at, rate: Some(0), cause: Cause::Full };
/// assert_eq!(denial.retry_at.since(denial.now).as_micros(), 1_000_001);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The store's clock when it decided.
    pub now: Timestamp,
    /// With cause [`Full`](Cause::Full), the earliest tick at which the same request is admitted if nobody else comes;
    /// a lower bound of it with the other causes.
    pub retry_at: Timestamp,
    /// The place in the quota's list of the rate that binds until then; none where a hold does.
    pub rate: Option<usize>,
    /// What stood in the way.
    pub cause: Cause,
}

/// What stood in the way of a request.
///
/// # Examples
/// ```
/// use scupper::{Cause, Decision, Limiter};
/// use std::time::Duration;
///
/// let limiter = Limiter::builder().rates(["5/s".parse()?]).build()?;
/// limiter.hold("user:42", Duration::from_secs(30))?;
/// let Decision::Denied(denied) = limiter.try_acquire("user:42")? else { unreachable!("it is held") };
/// assert_eq!(denied.cause(), Cause::Held);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Cause {
    /// A rate has no room for it.
    Full,
    /// Earlier requests on the same key wait in line, and this one does not pass them.
    Queued,
    /// The bucket is held: nobody is admitted before a certain time.
    Held,
    /// The store could not be asked, and the limiter fails closed, or its fallback's rates never allow so many units at once.
    Outage,
}

/// A bucket as it is now: nothing is consumed by looking.
///
/// # Examples
/// ```
/// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?, "100/h".parse()?]).build()?;
/// limiter.request("user:42").weight(3).acquire()?;
/// let snapshot = limiter.peek("user:42")?;
/// assert_eq!((snapshot.remaining(), snapshot.held_until), (2, None));
/// assert!(snapshot.reset_after().as_secs() >= 3599);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot {
    /// The store's clock when it looked.
    pub now: Timestamp,
    /// Until when nobody is admitted, if the bucket is held.
    pub held_until: Option<Timestamp>,
    /// One entry a rate, in the order of the quota's list.
    pub usage: Vec<Usage>,
}

impl Snapshot {
    /// What a store saw that does not decide by [`BucketState`](crate::store::BucketState).
    #[must_use]
    pub const fn new(now: Timestamp, held_until: Option<Timestamp>, usage: Vec<Usage>) -> Self {
        Self { now, held_until, usage }
    }

    /// Units that would be admitted at once: the least of what the rates have left, and none while the bucket is held.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let least = self.usage.iter().map(|usage| usage.remaining).min().unwrap_or_default();
        if self.held_until.is_some() { 0 } else { least }
    }

    /// How long from now until nothing is in use, if nobody else comes.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        let last = self.usage.iter().map(|usage| usage.reset_at).max().unwrap_or(self.now);
        last.since(self.now)
    }
}

/// One rate of a bucket as it is now.
///
/// # Examples
/// ```
/// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
/// limiter.penalize("user:42", 7)?;
/// let snapshot = limiter.peek("user:42")?;
/// let usage = snapshot.usage[0];
/// assert_eq!((usage.rate.limit(), usage.used, usage.remaining), (5, 7, 0));
/// println!("free in {:?}", usage.reset_at.since(snapshot.now));
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Usage {
    /// The rate.
    pub rate: Rate,
    /// Units in use. More than the limit after a penalty.
    pub used: u64,
    /// Units that would be admitted at once as far as this rate goes; see also [`Snapshot::remaining`].
    pub remaining: u64,
    /// From this tick on nothing is in use if nobody else comes.
    pub reset_at: Timestamp,
}

impl Usage {
    /// A rate under which so many units are in use until `reset_at`.
    #[must_use]
    pub const fn new(rate: Rate, used: u64, reset_at: Timestamp) -> Self {
        Self { rate, used, remaining: rate.burst().saturating_sub(used), reset_at }
    }
}

/// Some of the buckets of a store, at most as many as were asked for; 0 counts as 1.
///
/// # Examples
/// ```
/// let limiter = scupper::Limiter::builder().rates(["1/h".parse()?]).build()?;
/// let _first = limiter.try_acquire("user:42")?;
/// let (mut keys, mut after) = (Vec::new(), None);
/// loop {
///     let page = limiter.list("user:", after.as_ref(), 100)?;
///     keys.extend(page.keys);
///     after = page.next;
///     if after.is_none() {
///         break;
///     }
/// }
/// assert_eq!(keys, ["user:42"]);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys of buckets, in no particular order. A page may be empty and not the last.
    pub keys: Vec<String>,
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
}

/// A place in the list of a store's buckets, meaningful to that store alone: a number in one, a key in another.
///
/// # Examples
/// ```
/// assert_eq!(scupper::Cursor::new("user:42").place(), "user:42");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor from a store's own words.
    #[must_use]
    pub fn new(place: impl Into<String>) -> Self {
        Self(place.into())
    }

    /// The store's own words.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.0
    }
}
