//! The state of one bucket: every operation on it, and its stored form.

mod state;

mod operations;

mod codec;

#[cfg(test)]
mod tests;

pub use state::BucketState;
