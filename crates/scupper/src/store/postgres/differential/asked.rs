//! What the function is asked.

use crate::quota::Quota;
use crate::store::batch::{Action, Operation, Standing};

/// Acquires on one bucket.
#[derive(Clone, Debug)]
pub(super) struct Run<'a> {
    pub(super) key: &'static str,
    pub(super) quota: &'a Quota,
    pub(super) entries: Vec<Entry>,
}

/// Acquires that are alike, in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) weight: u64,
    pub(super) count: u32,
    pub(super) standing: Standing,
}

impl Entry {
    pub(super) const fn one(weight: u64) -> Self {
        Self { weight, count: 1, standing: Standing::Alone }
    }

    pub(super) const fn operation<'a>(&self, run: &Run<'a>) -> Operation<'a> {
        let action = Action::Acquire { quota: run.quota, weight: self.weight, standing: self.standing };
        Operation::new(run.key, action)
    }
}

/// What it answers to an entry: verdict, admitted, tick, sequence, clock, retry at, rate, cause.
pub(super) type Answer = [i64; 8];

/// Nothing was done.
pub(super) const UNDECIDED: Answer = [0; 8];
