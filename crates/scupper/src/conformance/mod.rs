//! The test suite that every store passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a check reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a check reports by panicking")]

mod fixture;

mod driver;

mod oracle;

mod subject;

mod kit;

mod property;

mod cases;

mod replay;

pub mod batches;
pub mod clock;
pub mod contention;
pub mod decisions;
pub mod housekeeping;
pub mod keys;
pub mod limiter;
pub mod numbers;
pub mod rates;
pub mod waits;

mod checks;

pub use fixture::{Fixture, Mode, Opened};
pub use subject::Subject;
