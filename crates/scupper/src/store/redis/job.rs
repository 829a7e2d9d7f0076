use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};
use crate::quota::Quota;
use crate::store::batch::{Action, Operation, Standing};
use crate::store::bucket::check;
use crate::store::coalesce::{Gathered, TurnedAway};
use crate::store::outcome::{Admission, Outcome};
use crate::time::{Timestamp, micros_ceil};

/// What one submission asks of one bucket: carried out as one.
#[derive(Debug)]
pub(super) struct Job {
    /// Where the server keeps the bucket.
    pub(super) key: String,
    pub(super) asked: Vec<Asked>,
    /// Takes an outcome for each operation.
    pub(super) answer: oneshot::Sender<Vec<Outcome>>,
    /// Whether the node that it goes to only has the key so far, and not the slot.
    pub(super) asking: bool,
    /// Whether it goes into a call of its own.
    pub(super) alone: bool,
    /// How often a server has said that another one has the bucket.
    pub(super) redirected: u32,
}

/// An operation as the script knows it, or several acquires that are alike.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) what: What,
    pub(super) quota: Option<Quota>,
    pub(super) at: Option<Timestamp>,
    pub(super) count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Acquire {
        weight: u64,
        standing: Standing,
    },
    Peek,
    Refund(Admission),
    Penalize {
        units: u64,
    },
    Reset,
    Hold {
        micros: u64,
    },
    /// Whether it owes anything, for a list.
    Owes,
}

/// The last time that the server's numbers can tell from the next: 2^53 microseconds, in the year 2255. It is the end of
/// time there.
const LATEST: u64 = 1 << 53;

impl Asked {
    /// The operation, if it is one that a script can carry out.
    pub(super) fn of(operation: &Operation<'_>) -> Result<Self> {
        check(operation)?;
        if let Some(at) = operation.at.filter(|at| at.as_micros() >= LATEST) {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("the time is {at}; a bucket in Redis knows times before {}", Timestamp::from_micros(LATEST)),
            ));
        }
        let what = match operation.action {
            Action::Acquire { weight, standing, .. } => What::Acquire { weight, standing },
            Action::Peek { .. } => What::Peek,
            Action::Refund(admission) => What::Refund(admission),
            Action::Penalize { units, .. } => What::Penalize { units },
            Action::Reset => What::Reset,
            Action::Hold { duration, .. } => What::Hold { micros: micros_ceil(duration).min(LATEST) },
            Action::List { .. } => {
                return Err(Error::new(ErrorKind::Unsupported, "a bucket cannot list the buckets of its store"));
            }
        };
        Ok(Self { what, quota: operation.quota().cloned(), at: operation.at, count: 1 })
    }

    /// Takes this one in if it is the same acquire again.
    pub(super) fn absorb(&mut self, other: &Self) -> bool {
        let is_same_quota = match (&self.quota, &other.quota) {
            (Some(mine), Some(theirs)) => mine.is(theirs) || mine == theirs,
            _ => false,
        };
        let is_alike = matches!(self.what, What::Acquire { .. }) && self.what == other.what && self.at == other.at;
        if is_alike && is_same_quota {
            self.count += other.count;
        }
        is_alike && is_same_quota
    }
}

impl Job {
    /// One that asks this alone, and where its outcome will come.
    pub(super) fn new(key: String, asked: Asked) -> (Self, oneshot::Receiver<Vec<Outcome>>) {
        let (answer, awaited) = oneshot::channel();
        (Self { key, asked: vec![asked], answer, asking: false, alone: false, redirected: 0 }, awaited)
    }

    /// One that asks whether the bucket under this key owes anything.
    pub(super) fn that_looks(key: String) -> (Self, oneshot::Receiver<Vec<Outcome>>) {
        Self::new(key, Asked { what: What::Owes, quota: None, at: None, count: 1 })
    }

    /// Gives each operation this error.
    pub(super) fn fail(self, error: &Error) {
        let outcomes = self.errors(error).collect();
        self.finish(outcomes);
    }

    /// This error as the outcome of each operation.
    pub(super) fn errors(&self, error: &Error) -> impl Iterator<Item = Outcome> {
        let told = move |asked: &Asked| {
            let is_look = matches!(asked.what, What::Peek | What::Owes);
            // Whether or not it was carried out, nothing was taken.
            let kind =
                if is_look && error.kind() == ErrorKind::Unknown { ErrorKind::Unavailable } else { error.kind() };
            Err(Error::new(kind, error.message().to_owned()))
        };
        self.asked.iter().flat_map(move |asked| (0..asked.count).map(move |_| told(asked)))
    }

    pub(super) fn finish(self, outcomes: Vec<Outcome>) {
        // Who asked may be gone.
        let _ = self.answer.send(outcomes);
    }
}

impl Gathered for Job {
    fn size(&self) -> usize {
        self.asked.iter().map(|asked| asked.count as usize).sum()
    }

    /// Who gives back, or holds others up, need not stay for the answer.
    fn is_abandoned(&self) -> bool {
        let is_for_the_asker = |asked: &Asked| matches!(asked.what, What::Acquire { .. } | What::Peek | What::Owes);
        self.answer.is_closed() && self.asked.iter().all(is_for_the_asker)
    }

    fn turn_away(self, reason: TurnedAway) {
        self.fail(&reason.error("Redis"));
    }
}

/// Gives each operation of these jobs this error.
pub(super) fn fail(jobs: impl IntoIterator<Item = Job>, error: &Error) {
    for job in jobs {
        job.fail(error);
    }
}
