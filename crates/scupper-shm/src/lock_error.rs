use std::error::Error;
use std::{fmt, io};

use crate::SEATS;

/// Why the lock was not obtained. Nothing was changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum LockError {
    /// The lock was held by others, who are alive, for as long as the caller wanted to wait. Trying again can help.
    TimedOut,
    /// All [`SEATS`] are taken, or another program has locked the whole file. Trying again can help.
    NoSeat,
    /// The lock itself holds what nobody writes there: something else wrote into the file. Only another file can help.
    Damaged,
    /// The system refused what locking needs, for example another descriptor. Trying again can help.
    Io(io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the lock of the mapped file was held by others until the timeout"),
            Self::NoSeat => write!(
                f,
                "all {SEATS} seats of the mapped file are taken: let fewer processes have it open, and no other program lock it"
            ),
            Self::Damaged => {
                f.write_str("the lock of the mapped file is damaged: something else wrote into the file; remove it")
            }
            Self::Io(_) => f.write_str("the system refused what locking the mapped file needs"),
        }
    }
}

impl Error for LockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::TimedOut | Self::NoSeat | Self::Damaged => None,
        }
    }
}
