//! Postgres, and asking it.

mod builder;
mod files;
mod refusal;
mod rows;
mod schemas;
mod server;
mod session;
mod shared;

pub use builder::PostgresServerBuilder;
pub use refusal::Refusal;
pub use rows::Rows;
pub use schemas::new_schema;
pub use server::PostgresServer;
pub use session::{Pending, Session};
pub use shared::SharedPostgres;
