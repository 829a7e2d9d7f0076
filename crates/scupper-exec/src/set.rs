//! Sets of signals, and what is done with all of a set.

#![expect(unsafe_code, reason = "asks the system about sets of signals, and changes them")]

use std::fmt;
use std::io;
use std::mem;
use std::ptr;

use libc::c_int;

/// Signals by number. Numbers that no signal has are never in it.
#[derive(Clone, Copy)]
pub(crate) struct SignalSet(libc::sigset_t);

impl SignalSet {
    pub(crate) fn empty() -> Self {
        // SAFETY: a set is plain memory, for which all zeros are a value.
        let mut set: libc::sigset_t = unsafe { mem::zeroed() };
        // SAFETY: the pointer is to a set of our own.
        unsafe { libc::sigemptyset(&raw mut set) };
        Self(set)
    }

    pub(crate) fn add(&mut self, signal: c_int) {
        // SAFETY: the pointer is to a set of our own. A number that no signal has is refused.
        unsafe { libc::sigaddset(&raw mut self.0, signal) };
    }

    pub(crate) fn has(&self, signal: c_int) -> bool {
        // SAFETY: the pointer is to a set of our own. A number that no signal has is refused, with -1.
        let found = unsafe { libc::sigismember(&raw const self.0, signal) };
        found == 1
    }

    /// Signals that came and wait until they are let through.
    pub(crate) fn pending() -> Self {
        let mut set = Self::empty();
        // SAFETY: the pointer is to a set of our own.
        unsafe { libc::sigpending(&raw mut set.0) };
        set
    }

    /// Those that the calling thread holds back.
    pub(crate) fn held() -> io::Result<Self> {
        Self::empty().change(libc::SIG_BLOCK)
    }

    /// Adds these to the signals that the calling thread holds back.
    pub(crate) fn block(&self) -> io::Result<()> {
        self.change(libc::SIG_BLOCK).map(drop)
    }

    /// The calling thread holds back these no longer.
    pub(crate) fn unblock(&self) -> io::Result<()> {
        self.change(libc::SIG_UNBLOCK).map(drop)
    }

    fn change(&self, how: c_int) -> io::Result<Self> {
        let mut before = Self::empty();
        // SAFETY: both pointers are to sets of our own.
        match unsafe { libc::pthread_sigmask(how, &raw const self.0, &raw mut before.0) } {
            0 => Ok(before),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

impl FromIterator<c_int> for SignalSet {
    fn from_iter<T: IntoIterator<Item = c_int>>(signals: T) -> Self {
        let mut set = Self::empty();
        signals.into_iter().for_each(|signal| set.add(signal));
        set
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((1..=64).filter(|signal| self.has(*signal))).finish()
    }
}

/// Whether a signal is ignored.
pub(crate) fn is_ignored(signal: c_int) -> bool {
    // SAFETY: an action is plain memory, for which all zeros are a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: it only asks, and writes to an action of our own.
    let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}
