//! Buckets in memory that processes of one host share.

mod failure;

mod words;

mod geometry;

mod journal;

mod arena;

mod slot;

mod ring;

mod table;

mod header;

mod clock;

mod bucket;

mod in_place;

mod keeper;

mod list;

mod settings;

mod url;

mod progress;

mod job;

mod helper;

mod mapped;

mod counter;

mod store;

mod builder;

#[cfg(test)]
mod trial;

pub use builder::SharedMemoryStoreBuilder;
pub use store::SharedMemoryStore;
