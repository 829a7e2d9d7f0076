//! Requests in line.

use std::collections::HashMap;

use crate::store::batch::{Action, Operation, Standing};
use crate::store::outcome::{Cause, Denial, Outcome, Reply, Verdict};

/// Keeps the requests of one batch in line: after the first waiting acquire on a key that does not fit, those in line behind
/// it on the same key are answered without asking.
///
/// A store makes one for each batch and passes every operation through it, in order.
///
/// # Examples
/// ```
/// use scupper::store::{Action, BucketState, Line, Operation, Reply, Standing, Verdict};
/// use scupper::{Algorithm, Cause, Quota, Timestamp};
///
/// let quota = Quota::new(Algorithm::SlidingWindowLog, "5/s")?;
/// let mut bucket = BucketState::new(&quota, Timestamp::ZERO);
/// let standing = Standing::Waiting;
/// let wait = |weight| Operation::new("user:42", Action::Acquire { quota: &quota, weight, standing });
/// let operations = [wait(3), wait(4), wait(1)];
///
/// let mut line = Line::default();
/// let mut pass = |operation| line.pass(operation, || bucket.apply(operation, Timestamp::ZERO));
/// assert!(matches!(pass(&operations[0])?, Reply::Acquired(Verdict::Admitted(_))));
/// assert!(matches!(pass(&operations[1])?, Reply::Acquired(Verdict::Denied(denial)) if denial.cause == Cause::Full));
/// // One unit would fit, but its turn has not come.
/// assert!(matches!(pass(&operations[2])?, Reply::Acquired(Verdict::Denied(denial)) if denial.cause == Cause::Queued));
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    denied: HashMap<&'a str, Denial>,
}

impl<'a> Line<'a> {
    /// The answer to this operation: `decide`'s, unless it is in line and an earlier one that waits on the same key was denied.
    ///
    /// # Errors
    /// Those of `decide`.
    pub fn pass(&mut self, operation: &Operation<'a>, decide: impl FnOnce() -> Outcome) -> Outcome {
        let Action::Acquire { standing: Standing::Passing | Standing::Waiting, .. } = operation.action else {
            return decide();
        };
        if let Some(denial) = self.denied.get(operation.key) {
            return Ok(Reply::Acquired(Verdict::Denied(Denial { cause: Cause::Queued, ..*denial })));
        }
        let outcome = decide();
        self.note(operation, &outcome);
        outcome
    }

    /// Takes in what became of an operation that was carried out before.
    pub(crate) fn note(&mut self, operation: &Operation<'a>, outcome: &Outcome) {
        if let Action::Acquire { standing: Standing::Waiting, .. } = operation.action
            && let Ok(Reply::Acquired(Verdict::Denied(denial))) = outcome
        {
            self.denied.entry(operation.key).or_insert(*denial);
        }
    }

    /// The denial that those on this key stand behind.
    pub(crate) fn denied(&self, key: &str) -> Option<Denial> {
        self.denied.get(key).copied()
    }

    /// Puts the line of a key back to where it was: what came since is done again.
    pub(crate) fn restore(&mut self, key: &'a str, denied: Option<Denial>) {
        match denied {
            Some(denial) => self.denied.insert(key, denial),
            None => self.denied.remove(key),
        };
    }
}
