//! A rate limiter that is exact, fast, and the same on one thread or a thousand machines.
//!
//! ```
//! use scupper::{Decision, Limiter};
//!
//! let limiter = Limiter::builder().rates(["5/s".parse()?, "1000/h".parse()?]).build()?;
//! match limiter.try_acquire("user:42")? {
//!     Decision::Admitted(permit) => println!("go, counted at {}", permit.tick()),
//!     Decision::Denied(denied) => println!("come back in {:?}", denied.retry_after()),
//!     Decision::NeverFits(never) => println!("{} never allows that", never.rate()),
//! }
//! # Ok::<(), scupper::Error>(())
//! ```
//!
//! # A map of the crate
//!
//! In the order in which data flows; a module imports only from those above it.
//!
//! | what | where |
//! |---|---|
//! | what can go wrong | [`Error`], [`ErrorKind`] |
//! | time, and waiting for it | [`Timestamp`], [`Timer`], [`Alarm`], [`SystemTimer`], [`WallTimer`], [`ManualTimer`], and behind its feature `TokioTimer` |
//! | how much of what per how long | [`Rate`], [`Rates`], under an [`Algorithm`] a [`Quota`] |
//! | where buckets live, and what is asked of such a place | [`store`], [`MemoryStore`], and behind their features `SharedMemoryStore`, `SqliteStore`, `RedisStore`, `PostgresStore` |
//! | the answer, and who gave it | [`Decision`], [`Permit`], [`Denied`] for a [`Cause`], [`NeverFits`]; [`Source`] |
//! | how a bucket is, and which there are | [`Detailed`], [`Snapshot`], [`Usage`]; [`Page`], [`Cursor`] |
//! | which bucket a request goes to | [`Routed`], [`RouteRequest`] |
//! | when the store cannot tell | [`OutagePolicy`] |
//! | who is asked | [`Limiter`], [`Request`], [`Bucket`], [`Reservation`] |
//! | the test suite for stores | `conformance`, behind the feature of that name |
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `sqlite` | `SqliteStore`: one limit for all processes of a host, durable in a file |
//! | `shared-memory` | `SharedMemoryStore`: the same at the speed of memory |
//! | `redis` | `RedisStore`: one limit for many machines |
//! | `postgres` | `PostgresStore`: the same where the data already is |
//! | `serde` | rates, quotas and what is counted can be serialized |
//! | `tokio` | `TokioTimer`: the clock of a Tokio runtime, for tests under its paused time |
//! | `conformance` | `conformance`: the test suite for stores |

mod sync;

mod fork;

mod turnstile;

mod hold_back;

mod detached;

mod error;

mod time;

mod timer;

mod rate;

mod rates;

mod pace;

mod quota;

mod algorithm;

pub mod store;

mod source;

mod permit;

mod ruling;

mod decision;

mod route;

mod guard;

mod waiting;

mod limiter;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use decision::{Decision, Denied, Detailed, NeverFits};
pub use error::{Error, ErrorKind, Result};
pub use guard::OutagePolicy;
pub use limiter::{Bucket, Limiter, LimiterBuilder, Request, Reservation};
pub use permit::Permit;
pub use quota::{Algorithm, Quota};
pub use rate::Rate;
pub use rates::Rates;
pub use route::{RouteRequest, Routed};
pub use source::Source;
pub use store::{Cause, Cursor, MemoryStore, Page, Snapshot, Usage};
#[cfg(feature = "postgres")]
pub use store::{Durability, PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "redis")]
pub use store::{RedisStore, RedisStoreBuilder};
#[cfg(feature = "shared-memory")]
pub use store::{SharedMemoryStore, SharedMemoryStoreBuilder};
#[cfg(feature = "sqlite")]
pub use store::{SqliteStore, SqliteStoreBuilder};
pub use time::Timestamp;
#[cfg(feature = "tokio")]
pub use timer::TokioTimer;
pub use timer::{Alarm, ManualTimer, SystemTimer, Timer, WallTimer};

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
