//! Postgres, and asking it.

mod builder;
mod files;
mod refusal;
mod rows;
mod server;
mod session;
mod shared;

pub use builder::PostgresServerBuilder;
pub use refusal::Refusal;
pub use rows::Rows;
pub use server::PostgresServer;
pub use session::{Pending, Session};
pub use shared::SharedPostgres;
