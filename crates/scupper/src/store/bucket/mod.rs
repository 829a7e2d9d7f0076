//! The state of one bucket: every operation on it, and its stored form.

mod state;

mod operations;

mod numbers;

mod codec;

#[cfg(any(test, feature = "sqlite", feature = "shared-memory"))]
mod in_place;

#[cfg(test)]
mod tests;

#[cfg(any(feature = "sqlite", feature = "shared-memory"))]
pub(crate) use in_place::{Log, Place, acquire_in_place, is_kept_by};
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "shared-memory"))]
pub(crate) use numbers::Kind;
#[cfg(any(feature = "postgres", feature = "shared-memory"))]
pub(crate) use numbers::Numbers;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use numbers::corrupt;
#[cfg(any(feature = "sqlite", feature = "shared-memory"))]
pub(crate) use numbers::head;
#[cfg(feature = "postgres")]
pub(crate) use numbers::numbers_of;
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite", feature = "shared-memory"))]
pub(crate) use operations::check;
pub(crate) use operations::{check_time, check_units};
pub use state::BucketState;
#[cfg(feature = "redis")]
pub(crate) use state::mismatch;
