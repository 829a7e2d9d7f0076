//! Waiting for a permit, without clock, sleep or store: check, sleep, check again, until it is admitted or too late.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::quota::Quota;
use crate::store::{Admission, Denial, Verdict};
use crate::time::Timestamp;

/// What to do next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Ask the store, and report what it said to [`Attempt::checked`].
    Check,
    /// Sleep until then.
    Sleep(Timestamp),
    /// It is over.
    Finish(Result<Admission>),
}

/// A request that waits for its permit, as a state machine. Times are those of the limiter's own timer.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    quota: &'a Quota,
    weight: u64,
    deadline: Option<Timestamp>,
    next: Step,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(quota: &'a Quota, weight: u64, now: Timestamp, timeout: Option<Duration>) -> Self {
        Self { quota, weight, deadline: timeout.map(|timeout| now + timeout), next: Step::Check }
    }

    /// The next step. After a sleep comes a check.
    pub(crate) fn step(&mut self) -> Step {
        std::mem::replace(&mut self.next, Step::Check)
    }

    /// Goes on with what the store said; `now` is when its answer came.
    pub(crate) fn checked(&mut self, now: Timestamp, verdict: Result<Verdict>) {
        self.next = match verdict {
            Ok(Verdict::Admitted(admission)) => Step::Finish(Ok(admission)),
            Ok(Verdict::Denied(denial)) => self.wait(now, &denial),
            Ok(Verdict::NeverFits { rate }) => Step::Finish(Err(self.never_fits(rate))),
            Err(error) => Step::Finish(Err(error)),
        };
    }

    fn wait(&self, now: Timestamp, denial: &Denial) -> Step {
        // Counted from the answer, so that a slow one never makes it early; at least a tick, so that it goes on.
        let pause = denial.retry_at.since(denial.now).max(Duration::from_micros(1));
        let wake_at = now + pause;
        match self.deadline {
            Some(deadline) if deadline < wake_at => Step::Finish(Err(too_late(deadline.since(now), pause))),
            _ => Step::Sleep(wake_at),
        }
    }

    fn never_fits(&self, rate: usize) -> Error {
        let rate = self.quota.rates().get(rate).map(ToString::to_string).unwrap_or_default();
        Error::new(
            ErrorKind::NeverFits,
            format!(
                "the request weighs {} units, and {rate} never allows more than {} at once; split it",
                self.weight,
                self.quota.capacity()
            ),
        )
    }
}

fn too_late(left: Duration, pause: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("the request would have to wait {pause:?} longer, and its deadline is {left:?} away"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Algorithm;
    use crate::rate::Rate;
    use crate::store::Cause;

    fn denied(now: u64, retry_at: u64) -> Verdict {
        let (now, retry_at) = (Timestamp::from_micros(now), Timestamp::from_micros(retry_at));
        Verdict::Denied(Denial { now, retry_at, rate: Some(0), cause: Cause::Full })
    }

    fn quota() -> Quota {
        Quota::new(Algorithm::default(), Rate::per_second(5).unwrap()).unwrap()
    }

    #[test]
    fn a_denied_request_sleeps_for_what_the_store_says_on_its_own_clock() {
        let quota = quota();
        let mut attempt = Attempt::new(&quota, 1, Timestamp::from_micros(7), None);
        assert!(matches!(attempt.step(), Step::Check));
        attempt.checked(Timestamp::from_micros(10), Ok(denied(5_000, 6_000)));
        assert!(matches!(attempt.step(), Step::Sleep(at) if at.as_micros() == 1_010));
        assert!(matches!(attempt.step(), Step::Check));
    }

    #[test]
    fn a_deadline_that_cannot_be_met_ends_it_at_once() {
        let quota = quota();
        let mut attempt = Attempt::new(&quota, 1, Timestamp::ZERO, Some(Duration::from_micros(999)));
        attempt.checked(Timestamp::ZERO, Ok(denied(0, 1_000)));
        assert!(matches!(attempt.step(), Step::Finish(Err(error)) if error.kind() == ErrorKind::Timeout));
    }

    #[test]
    fn a_deadline_at_the_very_tick_is_met() {
        let quota = quota();
        let mut attempt = Attempt::new(&quota, 1, Timestamp::ZERO, Some(Duration::from_millis(1)));
        attempt.checked(Timestamp::ZERO, Ok(denied(0, 1_000)));
        assert!(matches!(attempt.step(), Step::Sleep(_)));
    }

    #[test]
    fn a_store_that_says_now_does_not_make_it_spin() {
        let quota = quota();
        let mut attempt = Attempt::new(&quota, 1, Timestamp::ZERO, None);
        attempt.checked(Timestamp::ZERO, Ok(denied(10, 10)));
        assert!(matches!(attempt.step(), Step::Sleep(at) if at > Timestamp::ZERO));
    }
}
