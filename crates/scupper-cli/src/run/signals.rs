use std::io;

use scupper_exec::Held;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

/// Signals that wait until this is dropped, as [`Held`] holds them.
#[derive(Debug)]
pub(super) struct Signals {
    ends: Held,
    stops: Held,
}

impl Signals {
    /// To be done while there is one thread.
    pub(super) fn hold() -> io::Result<Self> {
        Ok(Self { ends: Held::hold(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM])?, stops: hold_stops()? })
    }

    /// One that came and will end the process.
    pub(super) fn end(&self) -> Option<i32> {
        self.ends.pending()
    }

    pub(super) fn let_through<T>(&self, work: impl FnOnce() -> T) -> T {
        self.ends.let_through(|| self.stops.let_through(work))
    }

    /// Lets through what ends the process, and not what stops it: a store outlives users that are gone, but one that is stopped may
    /// keep it from all others.
    pub(super) fn let_ends_through<T>(&self, work: impl FnOnce() -> T) -> T {
        self.ends.let_through(work)
    }

    /// Lets through what stops the process, and not what ends it.
    pub(super) fn let_stops_through<T>(&self, work: impl FnOnce() -> T) -> T {
        self.stops.let_through(work)
    }
}

/// Holds back what stops the process.
pub(super) fn hold_stops() -> io::Result<Held> {
    Held::hold(&[SIGTSTP])
}
