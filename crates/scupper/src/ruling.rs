//! A verdict with all that the answer to a request needs.

use crate::quota::Quota;
use crate::rate::Rate;
use crate::source::Source;
use crate::store::{Snapshot, Verdict};

/// What a request came to, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ruling {
    pub(crate) verdict: Verdict,
    /// The rate that the verdict is about, of whatever list was decided by.
    pub(crate) rate: Option<Rate>,
    pub(crate) source: Source,
    /// How the bucket was left, if that was asked for.
    pub(crate) snapshot: Option<Box<Snapshot>>,
}

impl Ruling {
    pub(crate) fn new(verdict: Verdict, source: Source, quota: &Quota) -> Self {
        let place = match &verdict {
            Verdict::Admitted(_) => None,
            Verdict::Denied(denial) => denial.rate,
            Verdict::NeverFits { rate } => Some(*rate),
        };
        let rate = place.and_then(|place| quota.rates().get(place).copied());
        Self { verdict, rate, source, snapshot: None }
    }

    pub(crate) fn with_snapshot(mut self, snapshot: Option<Snapshot>) -> Self {
        self.snapshot = snapshot.map(Box::new);
        self
    }

    pub(crate) const fn is_admitted(&self) -> bool {
        matches!(self.verdict, Verdict::Admitted(_))
    }
}
