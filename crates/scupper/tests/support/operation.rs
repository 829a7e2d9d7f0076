use std::time::Duration;

use scupper::store::{Action, Admission, Operation, Standing};
use scupper::{Cursor, Quota, Timestamp};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Acquire,
    Peek,
    Refund,
    Penalize,
    Reset,
    Hold,
    List,
}

/// An operation as the store saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) kind: Kind,
    pub(crate) key: String,
    /// Units, of what has any.
    pub(crate) units: u64,
    /// Of an acquire.
    pub(crate) standing: Option<Standing>,
}

/// An operation that outlives its batch.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) key: String,
    pub(super) at: Option<Timestamp>,
    pub(super) action: KeptAction,
}

#[derive(Clone, Debug)]
pub(super) enum KeptAction {
    Acquire(Quota, u64, Standing),
    Peek(Quota),
    Refund(Admission),
    Penalize(Quota, u64),
    Reset,
    Hold(Quota, Duration),
    List(Option<Cursor>, usize),
}

impl Kept {
    pub(super) fn of(operation: &Operation<'_>) -> Self {
        let action = match operation.action {
            Action::Acquire { quota, weight, standing } => KeptAction::Acquire(quota.clone(), weight, standing),
            Action::Peek { quota } => KeptAction::Peek(quota.clone()),
            Action::Refund(admission) => KeptAction::Refund(admission),
            Action::Penalize { quota, units } => KeptAction::Penalize(quota.clone(), units),
            Action::Reset => KeptAction::Reset,
            Action::Hold { quota, duration } => KeptAction::Hold(quota.clone(), duration),
            Action::List { after, most } => KeptAction::List(after.cloned(), most),
            other => panic!("the store does not know {other:?}"),
        };
        Self { key: operation.key.to_owned(), at: operation.at, action }
    }

    pub(super) fn operation(&self) -> Operation<'_> {
        let action = match &self.action {
            KeptAction::Acquire(quota, weight, standing) => {
                Action::Acquire { quota, weight: *weight, standing: *standing }
            }
            KeptAction::Peek(quota) => Action::Peek { quota },
            KeptAction::Refund(admission) => Action::Refund(*admission),
            KeptAction::Penalize(quota, units) => Action::Penalize { quota, units: *units },
            KeptAction::Reset => Action::Reset,
            KeptAction::Hold(quota, duration) => Action::Hold { quota, duration: *duration },
            KeptAction::List(after, most) => Action::List { after: after.as_ref(), most: *most },
        };
        Operation { at: self.at, ..Operation::new(&self.key, action) }
    }

    pub(super) fn asked(&self) -> Asked {
        let (kind, units, standing) = match &self.action {
            KeptAction::Acquire(_, weight, standing) => (Kind::Acquire, *weight, Some(*standing)),
            KeptAction::Peek(_) => (Kind::Peek, 0, None),
            KeptAction::Refund(admission) => (Kind::Refund, admission.weight, None),
            KeptAction::Penalize(_, units) => (Kind::Penalize, *units, None),
            KeptAction::Reset => (Kind::Reset, 0, None),
            KeptAction::Hold(..) => (Kind::Hold, 0, None),
            KeptAction::List(..) => (Kind::List, 0, None),
        };
        Asked { kind, key: self.key.clone(), units, standing }
    }
}
