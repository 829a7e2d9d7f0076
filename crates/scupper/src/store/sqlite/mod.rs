//! Buckets in an `SQLite` file.

mod failure;

mod packed;

mod link;

mod schema;

mod form;

mod chunks;

mod log;

mod in_place;

mod bucket;

mod list;

mod buckets;

mod sweep;

mod file_system;

mod place;

mod opened;

mod transaction;

mod job;

mod bell;

mod crowd;

mod queue;

mod file;

mod helper;

mod files;

mod awaited;

mod store;

mod url;

mod builder;

#[cfg(test)]
mod tests;

pub use builder::SqliteStoreBuilder;
pub use store::SqliteStore;
