//! The command line as a whole; each command brings its own arguments.

use std::env;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Error, Parser, Subcommand};

use crate::{run, schema, throttle};

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
    Schema(schema::Args),
}

impl Cli {
    /// What was typed. Does not return if that makes no sense, or asks for help.
    pub(crate) fn read() -> Self {
        Self::try_parse().unwrap_or_else(|mut error| {
            if env::args_os().nth(1).is_some_and(|command| command == "run") {
                point_out_separator(&mut error);
            }
            error.exit()
        })
    }
}

/// A word where no word is taken is COMMAND, in all likelihood.
fn point_out_separator(error: &mut Error) {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return };
    if error.kind() == ErrorKind::UnknownArgument && !word.starts_with('-') {
        let tip = format!("write -- before the command: -- {word} …");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}
