//! The state of one bucket: every operation on it, and its stored form.

mod state;

mod operations;

mod numbers;

mod codec;

#[cfg(test)]
mod tests;

#[cfg(feature = "redis")]
pub(crate) use operations::check;
pub use state::BucketState;
#[cfg(feature = "redis")]
pub(crate) use state::mismatch;
