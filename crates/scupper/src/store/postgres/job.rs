use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};
use crate::quota::Quota;
use crate::store::asked::Asked;
use crate::store::batch::{Action, Operation};
use crate::store::coalesce::{Gathered, TurnedAway};
use crate::store::outcome::Outcome;
use crate::store::postgres::id::Id;

/// What one submission asks of one bucket: carried out as one.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Id,
    pub(super) asked: Vec<Asked>,
    /// Takes an outcome for each operation.
    pub(super) answer: oneshot::Sender<Vec<Outcome>>,
}

impl Job {
    pub(super) fn new(first: Asked, answer: oneshot::Sender<Vec<Outcome>>) -> Self {
        Self { id: Id::of(first.key()), asked: vec![first], answer }
    }

    pub(super) fn key(&self) -> &str {
        self.asked.first().map_or("", Asked::key)
    }

    /// The quota under which all of it is acquires at the store's time; with anything else, there is none.
    pub(super) fn plain_quota(&self) -> Option<&Quota> {
        let mut quotas = self.asked.iter().map(|asked| {
            let operation = asked.operation();
            match operation.action {
                Action::Acquire { quota, .. } if operation.at.is_none() => Some(quota),
                _ => None,
            }
        });
        let first = quotas.next().flatten()?;
        let is_same = |quota: Option<&Quota>| quota.is_some_and(|quota| quota.is(first) || quota == first);
        quotas.all(is_same).then_some(first)
    }

    /// The look that it is, if it is nothing else, at the store's time.
    pub(super) fn look(&self) -> Option<Operation<'_>> {
        let [only] = &self.asked[..] else { return None };
        let operation = only.operation();
        (matches!(operation.action, Action::Peek { .. }) && operation.at.is_none()).then_some(operation)
    }

    /// Whether all that it does is to forget the bucket.
    pub(super) fn is_reset(&self) -> bool {
        matches!(&self.asked[..], [only] if matches!(only.operation().action, Action::Reset))
    }

    /// From which tick on the log has to be known for it, beside the newest event, if nothing is out of the ordinary; 0 if it is
    /// to be known as a whole.
    pub(super) fn since(&self) -> u64 {
        let since = |asked: &Asked| match (asked.operation().at, asked.operation().action) {
            (None, Action::Refund(admission)) => admission.tick.as_micros(),
            (None, Action::Penalize { .. } | Action::Hold { .. }) => u64::MAX,
            (None, Action::Reset) if self.is_reset() => u64::MAX,
            _ => 0,
        };
        self.asked.iter().map(since).min().unwrap_or_default()
    }

    /// Gives each operation this error.
    pub(super) fn fail(self, error: &Error) {
        let told = |asked: &Asked| {
            let is_look = matches!(asked.operation().action, Action::Peek { .. });
            // Whether or not it was carried out, nothing was taken.
            let kind =
                if is_look && error.kind() == ErrorKind::Unknown { ErrorKind::Unavailable } else { error.kind() };
            Err(Error::new(kind, error.message().to_owned()))
        };
        let outcomes = self.asked.iter().map(told).collect();
        self.finish(outcomes);
    }

    pub(super) fn finish(self, outcomes: Vec<Outcome>) {
        // Who asked may be gone.
        let _ = self.answer.send(outcomes);
    }
}

impl Gathered for Job {
    fn size(&self) -> usize {
        self.asked.len()
    }

    /// Who gives back, or holds others up, need not stay for the answer.
    fn is_abandoned(&self) -> bool {
        self.answer.is_closed() && self.asked.iter().all(Asked::is_for_the_asker)
    }

    fn turn_away(self, reason: TurnedAway) {
        self.fail(&reason.error("Postgres"));
    }
}
