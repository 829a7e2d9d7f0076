//! `scupper throttle`: copies lines no faster than the given rates.

mod args;

mod speed;

mod pieces;

mod terminal;

mod progress;

mod stage;

mod copier;

mod command;

pub(crate) use args::Args;
pub(crate) use command::run;
