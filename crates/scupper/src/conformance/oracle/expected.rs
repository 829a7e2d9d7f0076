use crate::error::ErrorKind;
use crate::store::{Cause, Outcome, Reply, Snapshot, Verdict};

/// What an answer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::conformance) enum Expected {
    /// Admitted at this tick, with this sequence if that can be known.
    Admitted { tick: u64, weight: u64, sequence: Option<u64> },
    /// Denied; one of these rates binds, or none where there are none.
    Denied { now: u64, retry_at: u64, cause: Cause, rates: Vec<usize> },
    /// Heavier than one of these rates allows.
    NeverFits { rates: Vec<usize> },
    /// Looks like this; where nothing is in use, the tick of its reset is that of the look.
    Peeked(Snapshot),
    /// So many units came back.
    Refunded(u64),
    /// Counted at this tick.
    Penalized(u64),
    /// There was something to forget, or not.
    Reset(bool),
    /// Nobody before this tick.
    Held(u64),
    /// Refused, as another algorithm keeps the bucket.
    Mismatch,
}

impl Expected {
    /// Compares; says what is wrong.
    pub(in crate::conformance) fn compare(&self, outcome: &Outcome) -> Result<(), String> {
        if self.is(outcome) { Ok(()) } else { Err(format!("expected {self:?}, got {outcome:?}")) }
    }

    fn is(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Admitted { tick, weight, sequence }, Ok(Reply::Acquired(Verdict::Admitted(admission)))) => {
                admission.tick.as_micros() == *tick
                    && admission.weight == *weight
                    && sequence.map_or(admission.sequence >= *weight, |sequence| admission.sequence == sequence)
            }
            (Self::Denied { now, retry_at, cause, rates }, Ok(Reply::Acquired(Verdict::Denied(denial)))) => {
                denial.now.as_micros() == *now
                    && denial.retry_at.as_micros() == *retry_at
                    && denial.cause == *cause
                    && denial.rate.map_or(rates.is_empty(), |rate| rates.contains(&rate))
            }
            (Self::NeverFits { rates }, Ok(Reply::Acquired(Verdict::NeverFits { rate }))) => rates.contains(rate),
            (Self::Peeked(expected), Ok(Reply::Peeked(snapshot))) => expected == snapshot,
            (Self::Refunded(expected), Ok(Reply::Refunded(units))) => expected == units,
            (Self::Penalized(expected), Ok(Reply::Penalized(tick))) => *expected == tick.as_micros(),
            (Self::Reset(expected), Ok(Reply::Reset(was_there))) => expected == was_there,
            (Self::Held(expected), Ok(Reply::Held(until))) => *expected == until.as_micros(),
            (Self::Mismatch, Err(error)) => error.kind() == ErrorKind::AlgorithmMismatch,
            _ => false,
        }
    }
}
