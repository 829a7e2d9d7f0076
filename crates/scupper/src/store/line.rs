//! Requests in line.

use crate::store::batch::{Action, Operation};
use crate::store::outcome::{Cause, Denial, Outcome, Reply, Verdict};

/// Keeps the requests of one batch in line: after the first acquire on a key that does not fit, those behind it on the
/// same key are answered without asking.
///
/// A store makes one for each batch and passes every operation through it, in order.
#[derive(Clone, Debug, Default)]
pub struct Line {
    denied: Vec<(String, Denial)>,
}

impl Line {
    /// The answer to this operation: `decide`'s, unless an earlier one in line on the same key was denied.
    ///
    /// # Errors
    /// Those of `decide`.
    pub fn pass(&mut self, operation: &Operation<'_>, decide: impl FnOnce() -> Outcome) -> Outcome {
        if !matches!(operation.action, Action::Acquire { in_line: true, .. }) {
            return decide();
        }
        if let Some((_, denial)) = self.denied.iter().find(|(key, _)| key == operation.key) {
            return Ok(Reply::Acquired(Verdict::Denied(Denial { cause: Cause::Queued, ..*denial })));
        }
        let outcome = decide();
        if let Ok(Reply::Acquired(Verdict::Denied(denial))) = &outcome {
            self.denied.push((operation.key.to_owned(), *denial));
        }
        outcome
    }
}
