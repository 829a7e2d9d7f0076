//! Buckets in an `SQLite` file.

mod gate;

mod failure;

mod packed;

mod link;

mod schema;

mod form;

mod chunks;

mod log;

mod bucket;

mod list;

mod buckets;

mod sweep;

mod place;

mod opened;

mod transaction;

mod asked;

mod job;

mod bell;

mod queue;

mod file;

mod helper;

mod files;

mod store;

mod url;

mod builder;

pub use builder::SqliteStoreBuilder;
pub use store::SqliteStore;
