//! `scupper throttle`: copies lines, or runs a command for each, no faster than the given rates.

mod place;

mod args;

mod speed;

mod pieces;

mod progress;

mod stage;

mod copier;

mod jobs;

mod command;

pub(crate) use args::Args;
pub(crate) use command::run;
