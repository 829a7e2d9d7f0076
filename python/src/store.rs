//! One bucket, which is a store of its own: that of one Python object.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scupper::store::{
    Action, Batch, BucketState, Line, Operation, Outcome, Outcomes, PinnedBucket, Reply, Store, Submission, Verdict,
};
use scupper::{Error, ErrorKind, Page, Quota, Result, Timestamp, Usage};

use crate::clock::MonotonicTimer;
use crate::fork::Section;

/// The state of a bucket. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct OneBucket(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    bucket: BucketState,
    /// When units were taken last.
    latest: Timestamp,
}

/// A bucket as bytes, and the microsecond in which units were taken last.
pub(crate) type State = (Vec<u8>, u64);

/// What became of units that were to be taken at a time of the caller's.
pub(crate) enum Put {
    Admitted {
        sequence: u64,
    },
    /// The place of the first rate in the list that has no room, and when all of them have; never if they cannot.
    Denied {
        rate: usize,
        retry_at: Option<Timestamp>,
    },
}

impl OneBucket {
    /// The only key that there is.
    pub(crate) const KEY: &'static str = "";

    pub(crate) fn new(quota: &Quota) -> Self {
        Self::of(BucketState::new(quota, Timestamp::ZERO), Timestamp::ZERO)
    }

    pub(crate) fn restored((bytes, latest): &State) -> Result<Self> {
        Ok(Self::of(BucketState::from_bytes(bytes)?, Timestamp::from_micros(*latest)))
    }

    fn of(bucket: BucketState, latest: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Kept { bucket, latest })))
    }

    pub(crate) fn state(&self) -> State {
        let kept = self.kept();
        (kept.bucket.to_bytes(), kept.latest.as_micros())
    }

    /// Takes units if they fit at this time, in no line.
    pub(crate) fn put(&self, quota: &Quota, weight: u64, at: Timestamp) -> Result<Put> {
        let mut kept = self.kept();
        let put = match kept.acquire(quota, weight, at)? {
            Verdict::Admitted(admission) => Put::Admitted { sequence: admission.sequence },
            Verdict::Denied(denial) => {
                let rate = kept.first_misfit(quota, weight, at).or(denial.rate).unwrap_or_default();
                Put::Denied { rate, retry_at: Some(denial.retry_at) }
            }
            Verdict::NeverFits { rate } => {
                let rate = kept.first_misfit(quota, weight, at).unwrap_or(rate);
                Put::Denied { rate, retry_at: None }
            }
        };
        Ok(put)
    }

    /// The place of the first rate in the list that has no room for so many units now.
    pub(crate) fn first_misfit(&self, quota: &Quota, weight: u64) -> Option<usize> {
        self.kept().first_misfit(quota, weight, MonotonicTimer::shared().read())
    }

    /// Units that count at this time, under the rate where they are most.
    pub(crate) fn used(&self, quota: &Quota, at: Timestamp) -> Result<u64> {
        let usage = self.kept().usage(quota, at)?;
        Ok(usage.iter().map(|usage| usage.used).max().unwrap_or_default())
    }

    /// For each rate, from when on nothing is in use.
    pub(crate) fn reset_at(&self, quota: &Quota) -> Result<Vec<Timestamp>> {
        let mut kept = self.kept();
        let latest = kept.latest;
        Ok(kept.usage(quota, latest)?.iter().map(|usage| usage.reset_at).collect())
    }

    /// Forgets all that was taken. What was admitted up to now cannot be given back any more.
    pub(crate) fn forget(&self) {
        self.kept().forget();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    #[inline]
    fn apply(&mut self, operation: &Operation<'_>, at: Timestamp) -> Outcome {
        let outcome = self.bucket.apply(operation, at);
        if let Ok(Reply::Acquired(Verdict::Admitted(admission))) = &outcome {
            self.latest = admission.tick;
        }
        outcome
    }

    #[inline]
    fn acquire(&mut self, quota: &Quota, weight: u64, at: Timestamp) -> Result<Verdict> {
        match self.apply(&Operation::acquire(OneBucket::KEY, quota, weight), at)? {
            Reply::Acquired(verdict) => Ok(verdict),
            other => Err(unexpected(&other)),
        }
    }

    fn usage(&mut self, quota: &Quota, at: Timestamp) -> Result<Vec<Usage>> {
        match self.apply(&Operation::new(OneBucket::KEY, Action::Peek { quota }), at)? {
            Reply::Peeked(snapshot) => Ok(snapshot.usage),
            other => Err(unexpected(&other)),
        }
    }

    fn first_misfit(&mut self, quota: &Quota, weight: u64, at: Timestamp) -> Option<usize> {
        if quota.rates().len() == 1 {
            return Some(0);
        }
        self.usage(quota, at).ok()?.iter().position(|usage| usage.remaining < weight)
    }

    /// A new bucket goes back in time with a caller who does, as one that was reset does not.
    fn forget(&mut self) {
        let after_all = Timestamp::from_micros(MonotonicTimer::shared().read().as_micros() + 1);
        self.bucket = BucketState::new(&self.bucket.quota().clone(), after_all);
        self.latest = Timestamp::ZERO;
    }

    fn decide(&mut self, operation: &Operation<'_>) -> Outcome {
        let now = MonotonicTimer::shared().read();
        let owes = self.bucket.settled_from() > now;
        match operation.action {
            Action::List { .. } => {
                let keys = owes.then(|| OneBucket::KEY.to_owned()).into_iter().collect();
                Ok(Reply::Listed(Page { keys, next: None }))
            }
            Action::Reset => {
                self.forget();
                Ok(Reply::Reset(owes))
            }
            _ => self.apply(operation, now),
        }
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the bucket answered {reply:?}, which is no answer to this operation"))
}

impl Store for OneBucket {
    /// Also on the thread that serves those who wait, where nobody else keeps a fork off.
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let _section = Section::enter();
        let mut kept = self.kept();
        let mut line = Line::default();
        let pass = |operation| line.pass(operation, || kept.decide(operation));
        Submission::Ready(batch.operations().iter().map(pass).collect::<Outcomes>())
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    fn pin(&self, _: &str, _: &Quota) -> Result<Option<Arc<dyn PinnedBucket>>> {
        Ok(Some(Arc::new(self.clone())))
    }
}

impl PinnedBucket for OneBucket {
    /// On a thread that has the interpreter, as a thread that forks has, too.
    fn acquire(&self, quota: &Quota, weight: u64) -> Result<Verdict> {
        let mut kept = self.kept();
        // Read under the lock: time must not step back between two who come one after the other.
        kept.acquire(quota, weight, MonotonicTimer::shared().read())
    }
}
