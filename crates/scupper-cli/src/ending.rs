//! Ending by a signal, so that shells see why: Ctrl-C, and output that nobody reads any more.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGCHLD, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Ends the process as this signal does when nobody catches it.
pub(crate) fn die_by(signal: i32) -> ! {
    let _ = emulate_default_handler(signal);
    process::exit(128 + signal)
}

/// Ends the process as writing to a closed pipe does.
pub(crate) fn die_of_closed_output() -> ! {
    die_by(SIGPIPE)
}

/// Whether a signal has come that is about to end the process. The main thread nearly always knows it sooner than what the same
/// signal did to other processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt {
    has_come: Arc<AtomicBool>,
    caught: u64,
}

impl Interrupt {
    /// Does not return if the process is about to end.
    pub(crate) fn hold(&self) {
        while self.has_come.load(Ordering::SeqCst) {
            thread::park();
        }
    }

    /// As [`hold`](Self::hold), also if another thread was chosen to hear of the signal and has not run yet, which takes a look
    /// at the system's notes.
    pub(crate) fn hold_for_what_is_on_its_way(&self) {
        while is_on_its_way(&status(), self.caught) {
            thread::park();
        }
        self.hold();
    }
}

/// Whether one of these signals was sent to the process and is about to be delivered.
fn is_on_its_way(status: &str, signals: u64) -> bool {
    signal_set(status, "ShdPnd:") & !signal_set(status, "SigBlk:") & signals != 0
}

/// From now on SIGINT and SIGTERM first have `prepare` run, on a thread of its own, and then end the process as ever.
///
/// One that was ignored when the process started stays ignored: that is how shells shield jobs in the background.
pub(crate) fn prepare_for_signals(prepare: impl FnOnce() + Send + 'static) -> io::Result<Interrupt> {
    let ignored = signal_set(&status(), IGNORED);
    let caught = [SIGINT, SIGTERM].into_iter().filter(|signal| !is_in(ignored, *signal));
    // Before the flag: whoever it holds must be sure of the end.
    let mut signals = Signals::new(caught.clone())?;
    let interrupt = Interrupt { has_come: Arc::default(), caught: caught.clone().map(bit).sum() };
    for signal in caught {
        flag::register(signal, Arc::clone(&interrupt.has_come))?;
    }
    thread::Builder::new().name("signals".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            prepare();
            die_by(signal);
        }
    })?;
    Ok(interrupt)
}

/// Undoes what a parent that ignores SIGCHLD hands down: the system would forget how children end.
pub(crate) fn keep_ends_known() -> io::Result<()> {
    // Not unless it must be: while two signals are handled, other threads may see what the first one does to a child.
    if is_in(signal_set(&status(), IGNORED), SIGCHLD) {
        flag::register(SIGCHLD, Arc::default())?;
    }
    Ok(())
}

const IGNORED: &str = "SigIgn:";

/// What the system tells of this process and its main thread, where it does.
fn status() -> String {
    fs::read_to_string("/proc/self/status").unwrap_or_default()
}

/// A set of signals in that: bit 0 is signal 1.
fn signal_set(status: &str, name: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix(name));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0)
}

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn is_in(signals: u64, signal: i32) -> bool {
    signals & bit(signal) != 0
}

/// Runs `then`, on a thread of its own, once stdout is a pipe or a socket that nobody can read from any more.
pub(crate) fn when_nobody_reads_stdout(then: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let kind = stdout.metadata()?.file_type();
    if !kind.is_fifo() && !kind.is_socket() {
        return Ok(());
    }
    thread::Builder::new().name("reader".into()).spawn(move || {
        if wait_until_nobody_reads(&stdout).is_ok() {
            then();
        }
    })?;
    Ok(())
}

fn wait_until_nobody_reads(pipe: &File) -> io::Result<()> {
    loop {
        // Asked about nothing, poll still reports these.
        let mut polled = [PollFd::new(pipe, PollFlags::empty())];
        match poll(&mut polled, None) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) if polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => return Ok(()),
            Ok(_) => return Err(ErrorKind::Unsupported.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_was_sent_is_on_its_way_unless_it_is_held_back_or_of_no_interest() {
        let caught = bit(SIGINT) | bit(SIGTERM);
        for (sent, held_back, expected) in
            [("0", "0", false), ("2", "0", true), ("4002", "2", true), ("2", "2", false), ("1000", "0", false)]
        {
            let status = format!("Name:\tscupper\nSigPnd:\t2\nShdPnd:\t{sent:0>16}\nSigBlk:\t{held_back:0>16}\n");
            assert_eq!(is_on_its_way(&status, caught), expected, "{status}");
        }
        assert!(!is_on_its_way("", caught), "where the system does not tell");
    }
}
