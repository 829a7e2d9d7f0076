//! The file, from its header up to its lock.

mod access;
mod byte_lock;
mod file;
mod guard;
mod header;
mod lock_word;
mod maker;
mod mapping;
mod seat;
mod seating;
mod shared;

pub use guard::Guard;
pub use shared::Shared;
