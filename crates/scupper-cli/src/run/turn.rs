use std::time::{Duration, Instant};

use scupper::{Decision, Denied, Error, ErrorKind, Limiter, Permit, Quota, Rate};

use crate::ending::die_by;
use crate::failure::Failure;
use crate::run::deadline::{Deadline, park};
use crate::run::place::{failed, usage};
use crate::run::rest::sleep;
use crate::run::signals::Signals;
use crate::run::status::{NEVER_FITS, TOO_LATE};

/// A run that wants its turn.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) key: &'a str,
    pub(super) weight: u64,
    pub(super) deadline: Deadline,
}

impl Turn<'_> {
    /// Waits until it has come.
    ///
    /// The library could wait as well, but it does not say when it is asking the store: only then must a signal wait.
    pub(super) fn wait(&self, limiter: &Limiter, signals: &Signals) -> Result<Permit<'static>, Failure> {
        loop {
            if let Some(signal) = signals.end() {
                die_by(signal);
            }
            let asked = limiter.request(self.key).weight(self.weight).try_acquire_async();
            match self.deadline.wait_for(asked, park) {
                Some(Ok(Decision::Admitted(permit))) => return Ok(permit.into_owned()),
                Some(Ok(Decision::Denied(denied))) => {
                    let pause = self.pause(&denied)?;
                    signals.let_through(|| sleep(pause));
                }
                Some(Ok(Decision::NeverFits(never))) => return Err(never_fits(never.weight(), never.rate())),
                Some(Err(error)) => return Err(not_told(&error)),
                None => return Err(unknown("outcome unknown: the timeout passed before the store answered")),
            }
        }
    }

    /// How long there is no room for it.
    fn pause(&self, denied: &Denied) -> Result<Duration, Failure> {
        let pause = denied.retry_after();
        let end = Instant::now().checked_add(pause).filter(|end| self.deadline.allows(*end));
        let late = || too_late(&format!("there is no room for {pause:?}, which is longer than --timeout allows"));
        end.map(|_| pause).ok_or_else(late)
    }
}

/// Whether these rates ever allow so much at once.
pub(super) fn check_fit(weight: u64, quota: &Quota) -> Result<(), Failure> {
    match quota.rates().iter().min_by_key(|rate| rate.burst()) {
        Some(tightest) if weight > quota.capacity() => Err(never_fits(weight, *tightest)),
        _ => Ok(()),
    }
}

fn never_fits(weight: u64, rate: Rate) -> Failure {
    let most = rate.burst();
    let message =
        format!("never fits: the run weighs {weight} units, and {rate} never allows more than {most} at once");
    Failure::Status { status: NEVER_FITS, message }
}

pub(super) fn too_late(why: &str) -> Failure {
    Failure::Status { status: TOO_LATE, message: format!("timeout: {why}; nothing was taken or run") }
}

fn not_told(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::Unknown => unknown(&error.to_string()),
        ErrorKind::InvalidRequest => usage(error.to_string()),
        _ => failed(format!("{error}; nothing was taken or run")),
    }
}

fn unknown(what: &str) -> Failure {
    failed(format!("{what}; nothing was run, and the units may have been taken"))
}
