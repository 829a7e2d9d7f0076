use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;

/// What the main thread hears from the others.
#[derive(Debug)]
pub(super) enum Event {
    /// A slot is free and there is a permit: run the command for this line.
    Start(Order),
    /// Something of the input cannot be used; the rest can.
    Unusable(String),
    /// There are no more lines.
    InputOver,
    /// The limiter did not answer. Nothing else comes from the input.
    Limiter(scupper::Error),
    /// A run ended, or it cannot be known whether it did.
    Ended(io::Result<ExitStatus>),
}

/// A line that the command is to be run for.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) argument: OsString,
    /// For messages: the input and the number of the line.
    pub(super) place: String,
}
