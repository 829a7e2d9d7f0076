//! `scupper schema`: prints what makes the tables of a store.

mod args;

mod command;

pub(crate) use args::Args;
pub(crate) use command::run;
