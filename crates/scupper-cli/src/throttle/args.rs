use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::limits::Limits;
use crate::throttle::place::Place;

/// Copy lines, or run a command for each, no faster than the given rates
///
/// Lines are bytes up to a newline: they need not be text, and the last one of a file need not end. Without a COMMAND,
/// each is written to stdout as soon as it is admitted, unchanged. With a COMMAND, each is the last argument of a run of
/// it, which is started as soon as it is admitted.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) limits: Limits,

    #[command(flatten)]
    pub(crate) place: Place,

    /// What a unit is
    #[arg(long, value_enum, default_value_t)]
    pub(crate) weight_by: WeightBy,

    /// At most so many runs of COMMAND at once [default: 1]
    ///
    /// A line first waits until fewer are running, and then for the rates: those count when runs start, and a run that
    /// has to wait for another one takes nothing from them.
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    pub(crate) jobs: Option<usize>,

    /// Show no progress, not even on a terminal
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Where the lines are, one file after another; - is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) files: Vec<PathBuf>,

    /// What to run for each line, and its arguments but the last one, which is the line
    ///
    /// It is looked up in PATH, as a shell does. An empty line is an empty argument. Runs start in the order of the lines;
    /// their stdin is empty, and what they write to stdout and stderr goes where scupper's own would.
    #[arg(value_name = "COMMAND", last = true)]
    pub(crate) command: Vec<OsString>,
}

impl Args {
    /// The most runs at once: each has a thread that waits for its end.
    const MOST_JOBS: usize = 1024;

    /// Says what does not go together.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.command.is_empty() {
            return match self.jobs {
                Some(_) => {
                    Err("--jobs is for running a command: write -- COMMAND at the end, or leave --jobs out".into())
                }
                None => Ok(()),
            };
        }
        match self.weight_by {
            WeightBy::Lines => Ok(()),
            WeightBy::Bytes => {
                Err("--weight-by bytes is for copying: with a COMMAND a unit is a run, so leave it out".into())
            }
        }
    }
}

fn parse_jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse().ok().filter(|jobs| (1..=Args::MOST_JOBS).contains(jobs));
    jobs.ok_or_else(|| format!("write a whole number from 1 to {}", Args::MOST_JOBS))
}

/// What a line weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum WeightBy {
    /// A line, however long; with a COMMAND a run of it
    #[default]
    Lines,
    /// A byte, newlines included; a line that is heavier than the rates ever allow at once passes in pieces
    Bytes,
}

/// Whether this FILE is not a file.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

const HELP: &str = "\
Progress is shown on stderr if that is a terminal, lines are not typed on it, and no COMMAND may
write to it.

Exit status:
  0    everything was copied, or all runs of COMMAND ended with status 0
  1    a file could not be read, or a line not be an argument (the others were copied or run);
       or the output could not be written; or the store could not tell; or the system lacks
       what a run needs
  2    the arguments make no sense, or the store refuses them
  123  a run ended with another status than 0 and 255 (the others were started all the same)
  124  a run ended with status 255 (no more were started, those running were waited for)
  125  a run was killed by a signal (likewise)
  126  COMMAND cannot be run (likewise)
  127  COMMAND was not found (likewise)
  130  interrupted (it dies by SIGINT, and likewise by SIGTERM, and waits for no run)
  141  nobody reads what it copies any more (it dies by SIGPIPE)

Lines that cannot be an argument are those with a NUL byte and those of 128 KiB or more.

Examples:
  seq 20 | scupper throttle --rate 5/2s
  scupper throttle --rate 100/min --rate 1000/h --jobs 4 urls.txt -- curl -sSO
  scupper throttle --rate 100/min --store redis://10.0.0.5 --key mail addresses.txt -- ./send
  scupper throttle --rate 2/s hosts.txt -- sh -c 'ping -c 1 \"$1\" || echo \"$1\" >> down.txt' sh
  scupper throttle --rate 64000/s --weight-by bytes --algorithm token-bucket big.log";
