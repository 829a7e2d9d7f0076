//! The algorithms: pure functions of state, time and weight. No clock, no lock, no I/O.

mod blocked;
mod parts;

mod fixed_window;
mod gcra;
mod lanes;
mod totals;

mod sliding_window_log;

mod ledger;

pub(crate) use blocked::{Blocked, Short};
#[cfg(any(test, feature = "sqlite", feature = "shared-memory"))]
pub(crate) use fixed_window::FixedWindow;
#[cfg(any(test, feature = "sqlite", feature = "shared-memory"))]
pub(crate) use gcra::Gcra;
#[cfg(any(test, feature = "sqlite", feature = "shared-memory"))]
pub(crate) use lanes::Lane;
pub(crate) use lanes::Refund;
pub(crate) use ledger::Ledger;
pub(crate) use parts::Parts;
pub(crate) use sliding_window_log::Keep;
#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
pub(crate) use totals::Totals;
