//! A child of a fork that does one thing and says a number.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test takes what it needs, and reports by panicking"
)]
#![expect(unsafe_code, reason = "forks")]

use std::io::Error;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

/// The child, which is killed with its value.
#[derive(Debug)]
pub(crate) struct Child(i32);

impl Child {
    /// In which it ends on the slowest machine, unless something hangs.
    const PATIENCE: Duration = Duration::from_mins(1);
    const PANICKED: u8 = 255;

    /// Has a child do this and end.
    pub(crate) fn fork(what: impl FnOnce() -> u8) -> Self {
        // SAFETY: both have their own copies of what there is, and the C library's allocator works in the child.
        let number = unsafe { libc::fork() };
        assert!(number >= 0, "{}", Error::last_os_error());
        if number > 0 {
            return Self(number);
        }
        let given = catch_unwind(AssertUnwindSafe(what)).unwrap_or(Self::PANICKED);
        // SAFETY: ends the child as it is.
        unsafe { libc::_exit(given.into()) }
    }

    pub(crate) fn number(&self) -> i32 {
        self.0
    }

    /// What it says at its end.
    pub(crate) fn given(self) -> u8 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended(libc::WNOHANG) {
                mem::forget(self);
                assert!(libc::WIFEXITED(status), "a child ended by a signal: {status:#x}");
                let given = u8::try_from(libc::WEXITSTATUS(status)).unwrap();
                assert_ne!(given, Self::PANICKED, "the child says why");
                return given;
            }
            assert!(start.elapsed() < Self::PATIENCE, "a child hangs: it has not ended in {:?}", Self::PATIENCE);
            thread::sleep(Duration::from_micros(50));
        }
    }

    fn ended(&self, options: i32) -> Option<i32> {
        let mut status = 0;
        // SAFETY: the child is ours, and nobody else waits for it.
        let ended = unsafe { libc::waitpid(self.0, &raw mut status, options) };
        assert!(ended >= 0, "{}", Error::last_os_error());
        (ended > 0).then_some(status)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: nobody has waited for its end, so the number is still its own.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        self.ended(0);
    }
}
