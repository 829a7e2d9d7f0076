use std::time::Duration;

use crate::quota::Quota;
use crate::store::batch::{Action, Operation, Standing};
use crate::store::outcome::{Admission, Cursor};
use crate::time::Timestamp;

/// An operation that outlives the call that brought it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    key: String,
    at: Option<Timestamp>,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Acquire(Quota, u64, Standing),
    Peek(Quota),
    Refund(Admission),
    Penalize(Quota, u64),
    Reset,
    Hold(Quota, Duration),
    List(Option<Cursor>, usize),
}

impl Asked {
    pub(super) fn of(operation: &Operation<'_>) -> Self {
        let what = match operation.action {
            Action::Acquire { quota, weight, standing } => What::Acquire(quota.clone(), weight, standing),
            Action::Peek { quota } => What::Peek(quota.clone()),
            Action::Refund(admission) => What::Refund(admission),
            Action::Penalize { quota, units } => What::Penalize(quota.clone(), units),
            Action::Reset => What::Reset,
            Action::Hold { quota, duration } => What::Hold(quota.clone(), duration),
            Action::List { after, most } => What::List(after.cloned(), most),
        };
        Self { key: operation.key.to_owned(), at: operation.at, what }
    }

    pub(super) fn operation(&self) -> Operation<'_> {
        let action = match &self.what {
            What::Acquire(quota, weight, standing) => Action::Acquire { quota, weight: *weight, standing: *standing },
            What::Peek(quota) => Action::Peek { quota },
            What::Refund(admission) => Action::Refund(*admission),
            What::Penalize(quota, units) => Action::Penalize { quota, units: *units },
            What::Reset => Action::Reset,
            What::Hold(quota, duration) => Action::Hold { quota, duration: *duration },
            What::List(after, most) => Action::List { after: after.as_ref(), most: *most },
        };
        Operation { key: &self.key, at: self.at, action }
    }

    #[cfg(feature = "postgres")]
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Whether nobody but the asker has anything of it.
    pub(super) fn is_for_the_asker(&self) -> bool {
        matches!(self.what, What::Acquire(..) | What::Peek(_) | What::List(..))
    }
}
