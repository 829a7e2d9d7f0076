//! Redis, and asking it.

mod builder;
mod client;
mod reply;
mod server;
mod shared;

pub use builder::RedisServerBuilder;
pub use client::Client;
pub use reply::Reply;
pub use server::RedisServer;
pub use shared::SharedRedis;
