//! The `scupper` command: paces what passes through it with an exact rate limiter.

mod given;

mod args;

mod failure;

mod terminal;

mod row;

mod ending;

mod limits;

mod stores;

mod run;

mod schema;

mod throttle;

use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let done = match Cli::read().command {
        Command::Throttle(args) => throttle::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Schema(args) => schema::run(&args),
    };
    done.unwrap_or_else(Failure::report)
}
