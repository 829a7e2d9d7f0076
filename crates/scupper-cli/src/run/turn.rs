use std::time::{Duration, Instant};

use scupper::{Decision, Denied, Error, ErrorKind, Limiter, Permit, Quota, Rate};

use crate::failure::Failure;
use crate::run::deadline::{Deadline, park};
use crate::run::place::{Place, failed, usage};
use crate::run::status::{NEVER_FITS, TOO_LATE};
use crate::run::waiting::Waiting;

/// A run that wants its turn.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) place: &'a Place,
    pub(super) key: &'a str,
    pub(super) weight: u64,
    pub(super) deadline: Deadline,
    pub(super) longest_call: Duration,
    pub(super) waiting: &'a Waiting<'a>,
}

impl Turn<'_> {
    /// Waits until it has come.
    ///
    /// The library could wait as well, but it does not say when it is asking the store: only then must a signal wait.
    pub(super) fn wait(&self, limiter: &Limiter) -> Result<Permit<'static>, Failure> {
        loop {
            self.waiting.heed_signals();
            let asked = limiter.request(self.key).weight(self.weight).try_acquire_async();
            match self.deadline.wait_for(asked, park) {
                Some(Ok(Decision::Admitted(permit))) => return Ok(permit.into_owned()),
                Some(Ok(Decision::Denied(denied))) => {
                    self.check_time(&denied)?;
                    self.waiting.for_room(&denied);
                }
                Some(Ok(Decision::NeverFits(never))) => return Err(never_fits(never.weight(), never.rate())),
                // A call that is cut off by the deadline would leave unknown what became of it.
                Some(Err(error)) if error.kind() == ErrorKind::Unavailable => {
                    wait_for_store(self.deadline, self.longest_call, &error, self.waiting)?;
                }
                Some(Err(error)) => return Err(self.not_told(&error)),
                None => return Err(unknown("outcome unknown: the timeout passed before the store answered")),
            }
        }
    }

    /// Whether there is time until there is room for it.
    fn check_time(&self, denied: &Denied) -> Result<(), Failure> {
        let pause = denied.retry_after();
        let is_in_time = Instant::now().checked_add(pause).is_some_and(|end| self.deadline.allows(end));
        let late = || too_late(&format!("there is no room for {pause:?}, which is longer than --timeout allows"));
        if is_in_time { Ok(()) } else { Err(late()) }
    }

    fn not_told(&self, error: &Error) -> Failure {
        match error.kind() {
            ErrorKind::Unknown => unknown(&error.to_string()),
            ErrorKind::InvalidRequest => usage(error.to_string()),
            ErrorKind::AlgorithmMismatch => {
                let (key, way_out) = (self.key, self.place.way_to_forget());
                usage(format!(
                    "key {key:?}: {}: give the --algorithm of the others, another --key, {way_out}",
                    error.message()
                ))
            }
            _ => failed(format!("{error}; nothing was taken or run")),
        }
    }
}

/// Waits until it is worth asking again a store that had no answer, and took nothing. Asking may take so long.
///
/// # Errors
/// If there is no time for that.
pub(super) fn wait_for_store(
    deadline: Deadline,
    longest_call: Duration,
    error: &Error,
    waiting: &Waiting<'_>,
) -> Result<(), Failure> {
    const PAUSE: Duration = Duration::from_millis(100);
    match deadline {
        Deadline::Now => return Err(failed(format!("{error}; nothing was taken or run"))),
        Deadline::Never => waiting.complain_once(error),
        Deadline::At(_) if deadline.allows(Instant::now() + PAUSE + longest_call) => {}
        Deadline::At(_) => return Err(too_late(&format!("the store had no answer in time ({error})"))),
    }
    waiting.for_the_store(PAUSE, error);
    Ok(())
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

fn unknown(what: &str) -> Failure {
    failed(format!("{what}; nothing was run, and the units may have been taken"))
}
