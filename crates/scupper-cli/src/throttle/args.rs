use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::limits::Limits;

/// Copy lines to stdout no faster than the given rates
///
/// Lines are bytes up to a newline: they need not be text, and the last one of a file need not end. Each is written as
/// soon as it is admitted, unchanged.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) limits: Limits,

    /// What a unit is
    #[arg(long, value_enum, default_value_t)]
    pub(crate) weight_by: WeightBy,

    /// Show no progress, not even on a terminal
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// What to copy, one after another; - is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) files: Vec<PathBuf>,
}

/// What a line weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum WeightBy {
    /// A line, however long
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
Progress is shown on stderr if that is a terminal and lines are not typed on it.

Exit status:
  0    everything was copied
  1    a file could not be read (the others were copied), or the output could not be written
  2    the arguments make no sense
  130  interrupted (it dies by SIGINT, and likewise by SIGTERM)
  141  nobody reads the output any more (it dies by SIGPIPE)

Examples:
  seq 20 | scupper throttle --rate 5/2s
  scupper throttle --rate 100/min --rate 1000/h urls.txt | xargs -n 1 curl
  scupper throttle --rate 64000/s --weight-by bytes --algorithm token-bucket big.log";
