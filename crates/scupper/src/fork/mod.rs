//! Forks of this process: what may not be under way meanwhile, and what a child makes anew.

#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
mod gate;

mod process;

mod of_process;

#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
pub(crate) use gate::{Section, close, open};
pub(crate) use of_process::OfProcess;
pub(crate) use process::{Process, undivided};
