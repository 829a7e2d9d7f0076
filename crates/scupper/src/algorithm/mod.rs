//! The algorithms: pure functions of state, time and weight. No clock, no lock, no I/O.

mod blocked;

mod fixed_window;
mod gcra;
mod lanes;
mod sliding_window_log;

mod ledger;

pub(crate) use lanes::Refund;
pub(crate) use ledger::Ledger;
