use crate::error::Result;
use crate::quota::Quota;
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::{Action, Operation, Outcome, Reply, Snapshot, Standing, Verdict, unexpected};
use crate::time::Timestamp;

/// What is asked of the store for one request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) quota: Quota,
    pub(crate) weight: u64,
    pub(crate) at: Option<OwnTime>,
    pub(crate) standing: Standing,
    /// Whether to say how the bucket is left.
    pub(crate) detailed: bool,
}

/// A time that the caller brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnTime {
    pub(crate) at: Timestamp,
    /// When, on the limiter's timer, with which it goes on while the request waits; otherwise it stands still.
    pub(crate) brought: Option<Timestamp>,
}

impl OwnTime {
    fn now(self, now: Timestamp) -> Timestamp {
        self.brought.map_or(self.at, |brought| self.at + now.since(brought))
    }
}

impl Ask {
    /// The operations that ask for it: the acquire, and a look behind it if it is detailed.
    pub(super) fn operations<'a>(&'a self, key: &'a str, now: Timestamp) -> impl Iterator<Item = Operation<'a>> {
        let at = self.at.map(|own| own.now(now));
        let Self { quota, weight, standing, .. } = self;
        let acquire = Action::Acquire { quota, weight: *weight, standing: *standing };
        let look = self.detailed.then_some(Action::Peek { quota });
        [Some(acquire), look].into_iter().flatten().map(move |action| Operation { key, at, action })
    }

    /// How many operations that are.
    pub(super) fn count(&self) -> usize {
        1 + usize::from(self.detailed)
    }

    /// The answer in the next outcomes, as many as there were operations.
    pub(super) fn read(&self, source: Source, outcomes: &mut impl Iterator<Item = Outcome>) -> Result<Ruling> {
        read_ruling(&self.quota, self.detailed, source, outcomes)
    }
}

/// The answer to an acquire under this quota, with a look behind it if it was detailed.
pub(crate) fn read_ruling(
    quota: &Quota,
    detailed: bool,
    source: Source,
    outcomes: &mut impl Iterator<Item = Outcome>,
) -> Result<Ruling> {
    let mut next = || outcomes.next().unwrap_or_else(|| Err(unexpected("nothing")));
    let (acquired, look) = (next(), detailed.then(next));
    let verdict = match acquired? {
        Reply::Acquired(verdict) => verdict,
        other => return Err(unexpected(&format!("{other:?}"))),
    };
    let seen_at = match &verdict {
        Verdict::Admitted(admission) => admission.tick,
        Verdict::Denied(denial) => denial.now,
        Verdict::NeverFits { .. } => Timestamp::ZERO,
    };
    let snapshot = look.map(|look| match look {
        Ok(Reply::Peeked(snapshot)) => snapshot,
        // What was decided holds all the same: as an error, its units would be lost.
        _ => Snapshot::new(seen_at, None, Vec::new()),
    });
    Ok(Ruling::new(verdict, source, quota).with_snapshot(snapshot))
}
