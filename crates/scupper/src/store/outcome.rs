//! What a store answers to one operation.

use std::time::Duration;

use crate::error::Error;
use crate::rate::Rate;
use crate::time::Timestamp;

/// The answer to one operation of a batch. An error is that operation's alone.
pub type Outcome = Result<Reply, Error>;

/// An answer, by the operation that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// To an acquire.
    Acquired(Verdict),
    /// To a peek.
    Peeked(Snapshot),
    /// To a refund: the units that could still be given back, a part of one counted as one. Zero if they have left every window, if the bucket was
    /// reset since, or if it is not there any more.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Admission {
    /// When the units were counted, on the store's clock.
    pub tick: Timestamp,
    /// Units taken.
    pub weight: u64,
    /// All units that this bucket had counted then, these included. It only grows, and wraps at the end of `u64`.
    pub sequence: u64,
}

/// Why and for how long an acquire was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The store's clock when it decided.
    pub now: Timestamp,
    /// With cause [`Full`](Cause::Full), the earliest tick at which the same request is admitted if nobody else comes; a
    /// lower bound of it with the other causes.
    pub retry_at: Timestamp,
    /// The place in the quota's list of the rate that binds until then; none where a hold does.
    pub rate: Option<usize>,
    /// What stood in the way.
    pub cause: Cause,
}

/// What stood in the way of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Cause {
    /// A rate has no room for it.
    Full,
    /// Earlier requests in line on the same key wait; said to operations of a batch that are in line.
    Queued,
    /// The bucket is held: nobody is admitted before a certain time.
    Held,
}

/// A bucket as it is now: nothing is consumed by looking.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Some of the buckets of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys of buckets, in no particular order. A page may be empty and not the last.
    pub keys: Vec<String>,
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
}

/// A place in the list of a store's buckets, meaningful to that store alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(pub(crate) u64);

impl Cursor {
    /// A cursor from a store's own number.
    #[must_use]
    pub const fn new(place: u64) -> Self {
        Self(place)
    }

    /// The store's own number.
    #[must_use]
    pub const fn place(&self) -> u64 {
        self.0
    }
}
