//! What this program was given, seen before std changes it.

#![expect(unsafe_code, reason = "looks before main, at what the system tells")]

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use libc::c_int;

use crate::set::is_ignored;

/// Bits for stdin, stdout and stderr that were closed are those of their numbers.
static SEEN: AtomicU8 = AtomicU8::new(0);
const SIGPIPE_IGNORED: u8 = 1 << 3;
const LOOKED: u8 = 1 << 4;

/// The system runs what is in this list before `main`, and before std prepares for it.
// SAFETY: the list is one of functions such as this; what it calls needs nothing of std that is not there before `main`.
#[used]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let mut seen = LOOKED;
    if is_ignored(libc::SIGPIPE) {
        seen |= SIGPIPE_IGNORED;
    }
    for descriptor in STANDARD {
        if is_closed(descriptor) {
            seen |= 1 << descriptor;
        }
    }
    SEEN.store(seen, Ordering::Relaxed);
}

pub(crate) const STANDARD: [c_int; 3] = [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO];

/// Whether SIGPIPE was ignored when the program began, as far as is known.
pub(crate) fn ignored_sigpipe() -> bool {
    SEEN.load(Ordering::Relaxed) & SIGPIPE_IGNORED != 0
}

/// Whether this one of the standard descriptors was closed when the program began.
pub(crate) fn was_closed(descriptor: c_int) -> bool {
    SEEN.load(Ordering::Relaxed) & 1 << descriptor != 0
}

fn is_closed(descriptor: c_int) -> bool {
    // SAFETY: it only asks.
    let asked = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
    asked == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EBADF)
}
