//! The state of one bucket: every operation on it, and its stored form.

mod state;

mod operations;

mod codec;

pub use state::BucketState;
