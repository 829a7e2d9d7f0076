use crate::guard::{Ask, OwnTime};
use crate::store::Standing;
use crate::time::Timestamp;
use crate::waiting::claim::Claim;

/// A request in line.
#[derive(Debug)]
pub(super) struct Entry<W> {
    pub(super) claim: Claim,
    pub(super) joined: Timestamp,
    pub(super) deadline: Option<Timestamp>,
    /// Who asked.
    pub(super) who: W,
}

impl<W> Entry<W> {
    pub(super) fn new(claim: Claim, now: Timestamp, who: W) -> Self {
        let deadline = claim.timeout.map(|timeout| now + timeout);
        Self { claim, joined: now, deadline, who }
    }

    /// Whether the same answer holds for both, at any time.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.claim, &other.claim);
        ours.weight == theirs.weight && ours.quota == theirs.quota && ours.at.or(theirs.at).is_none()
    }

    /// What to ask the store.
    pub(super) fn ask(&self) -> Ask {
        let Claim { quota, weight, at, waits, detailed, .. } = &self.claim;
        Ask {
            quota: quota.clone(),
            weight: *weight,
            at: at.map(|at| OwnTime { at, brought: waits.then_some(self.joined) }),
            standing: if *waits { Standing::Waiting } else { Standing::Passing },
            detailed: *detailed,
        }
    }
}
