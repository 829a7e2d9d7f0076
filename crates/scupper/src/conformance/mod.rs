//! The test suite that every [`Store`](crate::store::Store) passes.
//!
//! Whoever writes a store needs one function that opens it and one line that makes the tests. A whole test file:
//!
//! ```
//! use scupper::conformance::Opened;
//! use scupper::{ManualTimer, MemoryStore};
//!
//! fn store() -> Opened {
//!     let timer = ManualTimer::new();
//!     let store = MemoryStore::builder().timer(timer.clone()).build();
//!     let inside = store.clone();
//!     Opened::new(store).on(timer).counting(move || inside.len())
//! }
//!
//! scupper::conformance_tests!(store);
//! # fn main() {}
//! ```
//!
//! It makes some hundred tests with telling names, one for each check and each way of waiting for answers:
//! `blocking::limiter::…` and `asynchronous::limiter::…`. Where a name begins with `promise_1` and so on, the check
//! holds the store to that promise of the library:
//!
//! | promise | what is checked |
//! |---|---|
//! | 1 never over | no window of any rate holds more than its limit, from many threads and by every door |
//! | 2 never under | what fits is admitted, however many come at once |
//! | 3 all or nothing | several rates, any weight: one decision, and no trace of a denial |
//! | 4 exact waits | admitted at the tick that a denial names, denied one earlier |
//! | 5 fair | requests in line are served in order; a deadline that cannot be met ends a wait at once |
//! | 6 the store's clock | it does not go back, and where it does, nothing is freed |
//! | 7 bounded | what owes nothing leaves by itself, and nothing else does |
//! | 8 honest failures | an operation that fails spoils no other |
//! | 9 no arithmetic surprises | maxima, sums and long traces are exact |
//!
//! What a store should answer is computed by naive models of the algorithms, and most histories are random: ticks
//! collide and fall on the edges of windows. A property is held to 256 cases, or as many as
//! `SCUPPER_CONFORMANCE_CASES` says. One that fails is shown as the smallest case that was found, with the seed for
//! `SCUPPER_CONFORMANCE_SEED` that draws it again.
//!
//! # What a store should know
//! - Most checks bring their own time ([`Operation::at`](crate::store::Operation::at)), so that they are exact on any
//!   store. Such a time may be anywhere, and stand still: a bucket that owes something at its caller's time stays for
//!   a minute of the store's clock at least.
//! - Others run on the store's clock. A manual clock makes them quick and exact; on a real one they wait, for some
//!   seconds in all, and know bounds alone.
//! - Each check opens a store of its own, and tests run at the same time.
//! - Housekeeping is checked by what [`counting`](Opened::counting) says. Without it, only `List` is asked, which leaves out what
//!   owes nothing: a store that hides idle buckets and never drops one passes all the same. Say how many it keeps in truth.
//!
//! # Examples
//! A store that stands on something else keeps it alive by a guard, and says how soon it forgets:
//! ```
//! use scupper::MemoryStore;
//! use scupper::conformance::Opened;
//! use std::time::Duration;
//!
//! fn store() -> Opened {
//!     let folder = String::from("a folder that removes itself when it is dropped");
//!     Opened::new(MemoryStore::new()).leaving_within(Duration::from_secs(3)).guarded_by(folder)
//! }
//!
//! // One check alone, for a look at what is wrong:
//! use scupper::conformance::{Mode, Subject, numbers};
//! numbers::promise_9_maxima_are_exact(&Subject::open(&store, Mode::Blocking));
//! ```
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
