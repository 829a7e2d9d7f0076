//! A rate limiter that is exact, fast, and the same on one thread or a thousand machines.
#![warn(missing_docs)]

mod sync;

mod error;

mod time;

mod timer;

mod rate;

mod rates;

mod pace;

mod quota;

mod algorithm;

pub mod store;

mod decision;

mod route;

mod attempt;

mod limiter;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use decision::{Decision, Denied, Detailed, NeverFits, Permit, Source};
pub use error::{Error, ErrorKind, Result};
pub use limiter::{Bucket, Limiter, LimiterBuilder, Request};
pub use quota::{Algorithm, Quota};
pub use rate::Rate;
pub use rates::Rates;
pub use route::{RouteRequest, Routed};
pub use store::{Cause, Cursor, MemoryStore, Page, Snapshot, Usage};
pub use time::Timestamp;
pub use timer::{Alarm, ManualTimer, SystemTimer, Timer, WallTimer};
