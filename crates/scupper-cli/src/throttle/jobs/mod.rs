//! Runs a command for each line, instead of copying it.
//!
//! A thread of its own reads lines, and waits for a slot and a permit; the main thread starts runs, and hears from a
//! thread for each of them how it ended. So an end is noticed whatever is being waited for.

mod lines;

mod event;

mod feeder;

mod verdict;

mod runner;

pub(super) use runner::run;
