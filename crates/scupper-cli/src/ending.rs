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

/// Whether a signal has come that is about to end the process. The main thread knows it sooner than what the same signal
/// did to other processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Does not return if the process is about to end.
    pub(crate) fn hold(&self) {
        while self.0.load(Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// From now on SIGINT and SIGTERM first have `prepare` run, on a thread of its own, and then end the process as ever.
///
/// One that was ignored when the process started stays ignored: that is how shells shield jobs in the background.
pub(crate) fn prepare_for_signals(prepare: impl FnOnce() + Send + 'static) -> io::Result<Interrupt> {
    let ignored = ignored_signals();
    let caught = [SIGINT, SIGTERM].into_iter().filter(|signal| !is_in(ignored, *signal));
    // Before the flag: whoever it holds must be sure of the end.
    let mut signals = Signals::new(caught.clone())?;
    let interrupt = Interrupt::default();
    for signal in caught {
        flag::register(signal, Arc::clone(&interrupt.0))?;
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
    if is_in(ignored_signals(), SIGCHLD) {
        flag::register(SIGCHLD, Arc::default())?;
    }
    Ok(())
}

/// The set of ignored signals, where the system tells: bit 0 is signal 1.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn is_in(signals: u64, signal: i32) -> bool {
    signals & (1 << (signal - 1)) != 0
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
