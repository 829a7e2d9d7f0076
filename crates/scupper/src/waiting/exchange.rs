//! What a queue and its server say to each other.

use std::time::Duration;

use crate::error::{ErrorKind, Result};
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::{Cause, Verdict};
use crate::time::Timestamp;
use crate::waiting::entry::Entry;

/// What to do next for a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: nobody stands in line.
    Rest,
    /// Nothing before this time.
    Sleep(Timestamp),
    /// Ask for those that [`Queue::sent`] tells.
    Ask,
    /// Wait for the call that is under way; look again at this time, if there is one.
    Await(Option<Timestamp>),
}

/// What the store said to one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is over: admitted, never fits, or an error.
    Final,
    /// It does not fit for so long.
    Denied(Duration),
    /// One before it does not fit for so long.
    Queued(Duration),
}

impl Said {
    pub(super) fn by(ruling: &Result<Ruling>) -> Self {
        match ruling {
            Ok(Ruling { verdict: Verdict::Denied(denial), .. }) => {
                let pause = denial.retry_at.since(denial.now);
                if denial.cause == Cause::Queued { Self::Queued(pause) } else { Self::Denied(pause) }
            }
            _ => Self::Final,
        }
    }
}

/// Whether the store said that, and nobody in its place.
pub(super) fn is_the_stores_own(ruling: &Result<Ruling>) -> bool {
    match ruling {
        Ok(ruling) => ruling.source == Source::Store,
        Err(error) => !matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Unavailable),
    }
}

/// What becomes of one that was asked for.
#[derive(Debug)]
pub(super) enum Fate<W> {
    /// The answer is this one's.
    Answered(Entry<W>),
    /// It stays in line.
    Stays,
    /// It went away before the answer came.
    Gone,
}

/// Why one leaves the line without an answer from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dismissal {
    /// Its deadline is before this time, and it cannot be admitted earlier.
    TooLate(Timestamp),
    /// Its deadline passed while it was being asked for.
    Unknown,
    /// Its deadline passed before it was asked for.
    Unasked,
    /// It does not wait, and those before it do; it cannot be admitted before this time.
    Behind(Timestamp),
}

/// What happened to the bucket, as far as an answer that is on its way may not know of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Since {
    #[default]
    Nothing,
    /// It has no more room than before.
    Changed,
    /// It may have room.
    Released,
}
