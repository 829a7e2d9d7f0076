//! Redis, and asking it.

mod builder;
mod client;
mod cluster;
mod reply;
mod sentinel;
mod server;
mod shared;
mod tls;

pub use builder::RedisServerBuilder;
pub use client::Client;
pub use cluster::{RedisCluster, RedisClusterBuilder};
pub use reply::Reply;
pub use sentinel::{RedisSentinel, RedisSentinelBuilder};
pub use server::RedisServer;
pub use shared::SharedRedis;
