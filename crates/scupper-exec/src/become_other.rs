//! The exec.

#![expect(unsafe_code, reason = "changes what another program is handed")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::c_int;

use crate::given::{STANDARD, ignored_sigpipe, was_closed};

/// Becomes this program. Returns only if that fails, and then nothing has changed.
///
/// The program gets what std's [`exec`](CommandExt::exec) hands on, and besides, as they were when this one began: whether
/// SIGPIPE is ignored, and which of stdin, stdout and stderr are closed. Signals that the calling thread holds back, by a
/// [`Held`](crate::Held) that is not dropped yet as well, are held back there too.
///
/// All other threads end without notice, and what is open is closed without being flushed or ended in order: whatever would be
/// the worse for it should be dropped before.
///
/// # Errors
/// Why the program could not be run, as [`exec`](CommandExt::exec) says it.
///
/// # Examples
/// ```no_run
/// let error = scupper_exec::exec(std::process::Command::new("date").arg("-u"));
/// eprintln!("date: {error}");
/// ```
pub fn exec(command: &mut Command) -> io::Error {
    for descriptor in STANDARD {
        if was_closed(descriptor) {
            // What std opened in its place stays until then, so that nothing else gets the number.
            close_when_another(descriptor, true);
        }
    }
    if ignored_sigpipe() {
        let ignore = || {
            set_sigpipe(libc::SIG_IGN);
            Ok(())
        };
        // SAFETY: without a fork, and std forks only to spawn, anything may be done here. Were the command spawned later
        // nevertheless, this would still be a single call that is allowed after a fork.
        unsafe { command.pre_exec(ignore) };
    }
    let error = command.exec();
    // Std had it end the process, and means it to be ignored while a program in Rust runs.
    set_sigpipe(libc::SIG_IGN);
    for descriptor in STANDARD {
        if was_closed(descriptor) {
            close_when_another(descriptor, false);
        }
    }
    error
}

fn close_when_another(descriptor: c_int, closes: bool) {
    let flags = if closes { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: it changes a flag of a number that is a descriptor or is refused.
    unsafe { libc::fcntl(descriptor, libc::F_SETFD, flags) };
}

fn set_sigpipe(action: libc::sighandler_t) {
    // SAFETY: both actions that are set here are the system's own, and no handler is replaced that anybody had set: std sets it
    // to be ignored, and whoever sets another does not use this.
    unsafe { libc::signal(libc::SIGPIPE, action) };
}
