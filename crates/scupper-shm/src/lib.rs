//! A file that processes of one host map and lock together: words that all of them see, and a lock that the death of its
//! owner does not keep.
//!
//! - [`Shared`] is one opening of such a file: its [words](Shared::words) and its [lock](Shared::lock), held as a [`Guard`].
//! - [`OpenError`] and [`LockError`] say what can go wrong.
//! - [`fork`] tells when this process is about to fork and when it has, for this crate and for others.
//! - [`thread`] starts threads that start in a child of a fork, too.
//!
//! # What holds
//!
//! - Nobody sees a file that is half made: it is put in place when it is complete, and never in the place of another.
//! - Whoever holds the lock is alone with it, among all threads of all processes. If the owner dies, in whatever way, the next one
//!   has the lock within some milliseconds; what the owner was about to do is left half done, which is for the user of the lock
//!   to see and undo: let a journal in the words tell, and look at it each time after locking.
//! - Whatever is in the file, written by whom or by what ever, what happens is an error or a wrong number, and never undefined
//!   behaviour: all words are atomic numbers, of which every pattern of bits is one, and nothing in the file is taken for an
//!   address, an index or a length before it was compared with what can be.
//!
//! # What does not hold
//!
//! - A file that is made shorter while it is mapped ends those who touch what is gone with the signal `SIGBUS`, as any mapped
//!   file does. Remove such a file instead; whoever has it open keeps what is there.
//! - The file must be on this host: on a file system of the network, other hosts see neither its words in time nor its lock.
//! - After a loss of power, the words are what the system had written until then, in no particular order.
//!
//! # Where it works
//!
//! On 64-bit Linux. Elsewhere the crate compiles, and opening and creating is an error of the kind
//! [`Unsupported`](OpenErrorKind::Unsupported). [`fork`] and [`thread`] work on every Unix, and elsewhere,
//! where nothing forks, the one has nothing to do and the other takes the standard library's.

mod lock_error;
mod open_error;

pub mod fork;
pub mod thread;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod linux;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub use linux::{Guard, Shared};

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod elsewhere;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub use elsewhere::{Guard, Shared};

pub use lock_error::LockError;
pub use open_error::{OpenError, OpenErrorKind};

/// How many openings of one file can have locked it at one time: each takes a seat with its first
/// [lock](Shared::lock) and keeps it until it is dropped or its process ends.
pub const SEATS: u32 = 4096;
