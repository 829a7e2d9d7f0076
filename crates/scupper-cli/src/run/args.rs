use std::ffi::OsString;
use std::time::Duration;

use crate::limits::{Limits, parse_units};
use crate::run::place::Place;
use crate::run::timeout::parse_timeout;

/// Wait for a permit, then become a command
///
/// All runs of this user on this host share their limits, from whichever shell, script or cron job they come: what counts is
/// kept in a file in the user's state folder, without any set-up. Runs count together if they have the same key, which is
/// the name of COMMAND unless --key says another.
///
/// Once it is admitted, scupper becomes COMMAND, as exec of a shell does: the process is the same, so exit status, signals,
/// terminal, stdin, stdout and stderr, environment and folder are what they would be without scupper.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) limits: Limits,

    #[command(flatten)]
    pub(super) place: Place,

    /// So many units, all or nothing
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = parse_units)]
    pub(super) weight: u64,

    /// Wait no longer than this: 500ms, 10s, 2min; 0 does not wait [default: as long as it takes]
    ///
    /// If it is known that the wait would be longer, it ends at once, with status 124. Time counts from the start, so that
    /// what a store takes to answer is part of it, but with 0 the store has its second to answer.
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    pub(super) timeout: Option<Duration>,

    /// Say nothing while it waits, not even on a terminal
    #[arg(short, long)]
    pub(super) quiet: bool,

    /// What to become, and its arguments
    ///
    /// It is looked up in PATH, as a shell does, before anything is taken for it.
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub(super) command: Vec<OsString>,
}

const HELP: &str = "\
Exit status: that of COMMAND, or if it was not run
  2    the arguments make no sense, or the store refuses them
  123  the rates never allow so many units at once (nothing was taken)
  124  the timeout passed, or is known to pass (nothing was taken)
  125  the store failed (nothing was taken), or could not tell whether it took the units, and
       then they may count until their time is over; the message says which
  126  COMMAND cannot be run (nothing was taken, or it was given back)
  127  COMMAND was not found (likewise)

A store that was reached and then has no answer, and a file that another process has, are asked again
while --timeout leaves time for an answer, a second at the most. Without it there is no end to
that, and stderr is told once.

On a terminal, stderr has a line that says what it waits for, until COMMAND begins.

While it waits, SIGINT, SIGTERM, SIGHUP and SIGQUIT end it at once, as any process, and nothing is
taken. Only while it asks the store, a second at the most, they wait for the answer, and what was
taken is given back first. That may fail where the store fails, and a SIGKILL leaves no time for
it: such units count until their time is over. A SIGTSTP, as of Ctrl-Z, stops it while it waits, but
while it opens or asks the store, it goes on first: stopped there, it could stop all other runs.

COMMAND finds everything as scupper found it: process, parent and process group, terminal, ignored
and blocked signals, open and closed descriptors, limits, environment, folder.

Of several runs that wait, no order is promised.

Examples:
  scupper run --rate 5/2s -- curl -sSO https://example.org/1.json
  scupper run --rate 10/min --rate 100/h --key mail -- ./send
  scupper run --rate 1/h --timeout 0 --key backup -- ./backup || echo 'not now'
  export SCUPPER_STORE=redis://10.0.0.5 SCUPPER_KEY=api   # one limit for many hosts";
