//! Runs `scupper throttle`.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::thread;

pub(crate) use crate::common::{Ended, Folder, Gate, Running};

/// A rate that makes nothing wait.
pub(crate) const FAST: &str = "--rate 1000000000/s";

pub(crate) fn throttle(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scupper"));
    command.arg("throttle").args(args.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it on this input, to the end.
pub(crate) fn run(args: &str, input: impl Into<Vec<u8>>) -> Ended {
    let mut running = Running::new(&mut throttle(args));
    feed(&mut running, input.into());
    running.end()
}

/// Writes to stdin from a thread and closes it. That nobody reads it is for the test to judge.
pub(crate) fn feed(running: &mut Running, input: Vec<u8>) {
    let mut stdin = running.stdin.take().unwrap();
    thread::spawn(move || match stdin.write_all(&input) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => panic!("{error}"),
        _ => {}
    });
}
