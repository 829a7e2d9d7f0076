//! Why a command gave up, and what it says then.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;

use crate::args::Cli;

/// A command gave up.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments of this command are each well formed, and make no sense together. Status 2, like any bad argument.
    Usage { command: &'static str, message: String },
    /// Anything else. Status 1.
    Work(String),
    /// Anything that has a status of its own.
    Status { status: u8, message: String },
}

impl Failure {
    /// Says it, and gives the status to exit with.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Usage { command, message } => {
                let mut cli = Cli::command();
                cli.build();
                let found = cli.find_subcommand_mut(command);
                let error = found.map(|command| command.error(ErrorKind::ValueValidation, &message));
                error.unwrap_or_else(|| Cli::command().error(ErrorKind::ValueValidation, &message)).exit()
            }
            Self::Work(message) => {
                complain(&message);
                ExitCode::FAILURE
            }
            Self::Status { status, message } => {
                complain(&message);
                ExitCode::from(status)
            }
        }
    }
}

/// Writes a message for the user to stderr. A closed stderr is no reason to fail.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "scupper: {message}");
}

/// The message of an error without the number that the system gives it.
pub(crate) fn bare(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
