//! The algorithms: pure functions of state, time and weight. No clock, no lock, no I/O.

mod blocked;
mod parts;

mod fixed_window;
mod gcra;
mod lanes;
mod totals;

mod sliding_window_log;

mod ledger;

pub(crate) use blocked::Short;
pub(crate) use lanes::Refund;
pub(crate) use ledger::Ledger;
pub(crate) use parts::Parts;
pub(crate) use sliding_window_log::Keep;
