//! The command line as a whole; each command brings its own arguments.

use clap::{Parser, Subcommand};

use crate::{run, throttle};

/// Pace lines and commands with an exact rate limiter
#[derive(Debug, Parser)]
#[command(name = "scupper", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Throttle(throttle::Args),
    Run(run::Args),
}
