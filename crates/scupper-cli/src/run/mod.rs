//! `scupper run`: waits for a permit, then becomes a command.

mod timeout;

mod status;

mod deadline;

mod program;

mod state_folder;

mod elsewhere;

mod mask;

mod file_url;

mod place;

mod args;

mod rest;

mod signals;

mod waiting;

mod turn;

mod command;

pub(crate) use args::Args;
pub(crate) use command::run;
