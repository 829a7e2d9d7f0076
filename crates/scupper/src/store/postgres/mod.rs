//! Buckets in Postgres.

mod settings;

mod tls_mode;

mod options;

mod url;

mod certificate;

mod verifier;

mod tls;

mod failure;

mod id;

mod schema;

mod statement;

mod dial;

mod notices;

mod session;

mod in_turn;

mod rights;

mod held;

mod entry;

mod pool;

mod job;

mod intake;

mod turns;

mod call;

mod arguments;

mod verdicts;

mod log;

mod stored;

mod row_text;

mod transaction;

mod change_text;

mod look;

mod general;

mod script;

mod sweep;

mod decider;

mod list;

mod way;

mod store;

mod builder;

#[cfg(test)]
mod differential;

pub use builder::PostgresStoreBuilder;
#[doc(hidden)]
pub use script::{Applied, PostgresScript};
pub use settings::Durability;
pub use store::PostgresStore;
