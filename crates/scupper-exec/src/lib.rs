//! Becoming another program, which gets everything as it was given to this one, and waiting for the moment to.
//!
//! ```no_run
//! # #[cfg(unix)] {
//! use scupper_exec::{Held, exec};
//! use std::process::Command;
//! use std::thread::sleep;
//! use std::time::Duration;
//!
//! let held = Held::hold(&[libc::SIGINT, libc::SIGTERM])?;
//! held.let_through(|| sleep(Duration::from_secs(2))); // a signal ends the process here, as ever
//! drop(held);
//! let error = exec(Command::new("date").arg("-u"));
//! eprintln!("date: {error}");
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Why std is not enough
//!
//! A wrapper such as `nohup`, `nice` or `env` hands on what it was given: whoever starts `trap '' PIPE; wrapper command` wants
//! `command` to have SIGPIPE ignored, and whoever closes its stdin wants it closed. A program in Rust cannot know either. Before
//! `main`, std has SIGPIPE ignored and opens `/dev/null` in place of a closed stdin, stdout or stderr; and
//! [`CommandExt::exec`](std::os::unix::process::CommandExt::exec) has SIGPIPE end the process again, whatever it did before. So
//! this crate looks before std does, from the list of functions that the system runs before `main`, and [`exec`] puts back what
//! it saw.
//!
//! A wrapper that waits must not lose what it waits for when it is told to end. A signal handler would be in the way: a signal
//! that it took just before the other program begins is lost. [`Held`] has signals wait instead, until whatever must not be cut
//! is done; then they do what they always do, to this program or, if it is gone, to the one that it became.
//!
//! All that needs calls into the system for which std has nothing safe. They are all that this crate is, so that the programs
//! that use it can forbid unsafe code.

#![cfg(unix)]

mod set;

mod given;

mod held;

mod become_other;

pub use become_other::exec;
pub use held::Held;
