use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::process::{Command, ExitCode};
use std::time::Duration;

use scupper::{Limiter, LimiterBuilder, Permit, Quota};
use scupper_exec::exec;

use crate::ending::die_by;
use crate::failure::{Failure, bare};
use crate::run::args::Args;
use crate::run::deadline::{Deadline, park};
use crate::run::place::{NotOpen, failed, usage};
use crate::run::program;
use crate::run::signals::{Signals, hold_stops};
use crate::run::status::{CANNOT_RUN, NOT_FOUND};
use crate::run::turn::{Turn, check_fit, too_late, wait_for_store};
use crate::run::waiting::Waiting;

/// Does what the arguments say.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let deadline = Deadline::after(args.timeout);
    // Clap sees to there being one.
    let (name, arguments) = args.command.split_first().ok_or_else(|| usage("name a COMMAND after --".into()))?;
    let quota = args.limits.quota().map_err(usage)?;
    check_fit(args.weight, &quota)?;
    program::find(name).map_err(|error| not_run(name, &error, ""))?;

    // Before the store has threads.
    let signals = Signals::hold().map_err(|error| failed(error.to_string()))?;
    let taken = take(args, name, &quota, deadline, &signals);
    if let Some(signal) = signals.end() {
        if let Ok(permit) = taken {
            give_back(args, &quota, permit);
        }
        die_by(signal);
    }
    let permit = taken?;
    drop(signals);
    let error = exec(Command::new(name).args(arguments));
    let is_about_a_file = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied);
    // Where the file is all right, it can only be the one that its first line names.
    let names = if is_about_a_file && program::find(name).is_ok() { "; is its interpreter there?" } else { "" };
    let permit = if give_back(args, &quota, permit) { "" } else { "; what was taken for it could not be given back" };
    Err(not_run(name, &error, &format!("{names}{permit}")))
}

/// Waits for a permit. The store is let go then: the command that this process becomes is no user of it.
fn take(
    args: &Args,
    name: &OsStr,
    quota: &Quota,
    deadline: Deadline,
    signals: &Signals,
) -> Result<Permit<'static>, Failure> {
    let _private = args.place.keep_private();
    let key = args.place.key(name);
    let (longest_call, waiting) = (longest_call(args.timeout), Waiting::new(&key, args.quiet, signals));
    let limiter = open(args, quota, deadline, longest_call, &waiting)?;
    let turn = Turn { place: &args.place, key: &key, weight: args.weight, deadline, longest_call, waiting: &waiting };
    turn.wait(&limiter)
}

/// Goes to the store. It takes nothing yet, and may take longer than a call.
fn open(
    args: &Args,
    quota: &Quota,
    deadline: Deadline,
    longest_call: Duration,
    waiting: &Waiting<'_>,
) -> Result<Limiter, Failure> {
    loop {
        let opened = deadline.wait_for(args.place.open(quota, longest_call), |longest| waiting.park(longest));
        match opened.ok_or_else(|| too_late("the store was not reached in time"))? {
            Ok(limiter) => return Ok(limiter),
            // It may be cut off at any time.
            Err(NotOpen::Yet(error)) => wait_for_store(deadline, Duration::ZERO, &error, waiting)?,
            Err(NotOpen::Ever(failure)) => return Err(failure),
        }
    }
}

/// Says whether that was possible.
fn give_back(args: &Args, quota: &Quota, permit: Permit<'_>) -> bool {
    let (_stops, _private) = (hold_stops(), args.place.keep_private());
    let opened = Deadline::Never.wait_for(args.place.open(quota, LimiterBuilder::CALL_TIMEOUT), park);
    opened.and_then(Result::ok).is_some_and(|limiter| limiter.refund(permit).is_ok())
}

/// No call takes longer than the timeout allows for all.
fn longest_call(timeout: Option<Duration>) -> Duration {
    let longest = LimiterBuilder::CALL_TIMEOUT;
    timeout.filter(|timeout| !timeout.is_zero()).map_or(longest, |timeout| timeout.min(longest))
}

fn not_run(name: &OsStr, error: &io::Error, more: &str) -> Failure {
    let status = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { CANNOT_RUN };
    Failure::Status { status, message: format!("{}: {}{more}", name.display(), bare(error)) }
}
