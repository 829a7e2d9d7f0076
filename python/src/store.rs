//! One bucket, which is a store of its own: that of one Python object.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scupper::store::{
    Action, Batch, BucketState, Line, Operation, Outcome, Outcomes, PinnedBucket, Reply, Store, Submission, Verdict,
};
use scupper::{Error, ErrorKind, Page, Quota, Result, Timestamp};

use crate::clock::MonotonicTimer;
use crate::fork::Section;

/// The state of a bucket. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct OneBucket(Arc<Mutex<BucketState>>);

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
        Self::of(BucketState::new(quota, Timestamp::ZERO))
    }

    pub(crate) fn of(state: BucketState) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.state().to_bytes()
    }

    /// Takes units if they fit at this time, in no line.
    pub(crate) fn put(&self, quota: &Quota, weight: u64, at: Timestamp) -> Result<Put> {
        let mut state = self.state();
        let put = match acquire(&mut state, quota, weight, at)? {
            Verdict::Admitted(admission) => Put::Admitted { sequence: admission.sequence },
            Verdict::Denied(denial) => {
                let rate = first_misfit(&mut state, quota, weight, at).or(denial.rate).unwrap_or_default();
                Put::Denied { rate, retry_at: Some(denial.retry_at) }
            }
            Verdict::NeverFits { rate } => {
                let rate = first_misfit(&mut state, quota, weight, at).unwrap_or(rate);
                Put::Denied { rate, retry_at: None }
            }
        };
        Ok(put)
    }

    /// The place of the first rate in the list that has no room for so many units now.
    pub(crate) fn first_misfit(&self, quota: &Quota, weight: u64) -> Option<usize> {
        first_misfit(&mut self.state(), quota, weight, MonotonicTimer::shared().read())
    }

    /// Units that count at this time, under the rate where they are most.
    pub(crate) fn used(&self, quota: &Quota, at: Timestamp) -> Result<u64> {
        match self.state().apply(&Operation::new(Self::KEY, Action::Peek { quota }), at)? {
            Reply::Peeked(snapshot) => Ok(snapshot.usage.iter().map(|usage| usage.used).max().unwrap_or_default()),
            other => Err(unexpected(&other)),
        }
    }

    /// Forgets all that was taken. What was admitted up to now cannot be given back any more.
    pub(crate) fn forget(&self) {
        forget(&mut self.state());
    }

    fn state(&self) -> MutexGuard<'_, BucketState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn acquire(state: &mut BucketState, quota: &Quota, weight: u64, at: Timestamp) -> Result<Verdict> {
    match state.apply(&Operation::acquire(OneBucket::KEY, quota, weight), at)? {
        Reply::Acquired(verdict) => Ok(verdict),
        other => Err(unexpected(&other)),
    }
}

fn first_misfit(state: &mut BucketState, quota: &Quota, weight: u64, at: Timestamp) -> Option<usize> {
    if quota.rates().len() == 1 {
        return Some(0);
    }
    match state.apply(&Operation::new(OneBucket::KEY, Action::Peek { quota }), at) {
        Ok(Reply::Peeked(snapshot)) => snapshot.usage.iter().position(|usage| usage.remaining < weight),
        _ => None,
    }
}

/// A new state goes back in time with a caller who does, as one that was reset does not.
fn forget(state: &mut BucketState) {
    let after_all = Timestamp::from_micros(MonotonicTimer::shared().read().as_micros() + 1);
    *state = BucketState::new(&state.quota().clone(), after_all);
}

fn unexpected(reply: &Reply) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the bucket answered {reply:?}, which is no answer to this operation"))
}

fn decide(state: &mut BucketState, operation: &Operation<'_>) -> Outcome {
    let now = MonotonicTimer::shared().read();
    match operation.action {
        Action::List { .. } => {
            let owes = state.settled_from() > now;
            Ok(Reply::Listed(Page {
                keys: if owes { vec![OneBucket::KEY.to_owned()] } else { Vec::new() },
                next: None,
            }))
        }
        Action::Reset => {
            let owed = state.settled_from() > now;
            forget(state);
            Ok(Reply::Reset(owed))
        }
        _ => state.apply(operation, now),
    }
}

impl Store for OneBucket {
    /// Also on the thread that serves those who wait, where nobody else keeps a fork off.
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let _section = Section::enter();
        let mut state = self.state();
        let mut line = Line::default();
        let pass = |operation| line.pass(operation, || decide(&mut state, operation));
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
        let mut state = self.state();
        // Read under the lock: time must not step back between two who come one after the other.
        acquire(&mut state, quota, weight, MonotonicTimer::shared().read())
    }
}
