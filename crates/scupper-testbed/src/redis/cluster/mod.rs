//! Redis, its keys spread over several servers.

mod builder;
mod forming;
mod moving;
mod nodes;

pub use builder::RedisClusterBuilder;
pub use nodes::RedisCluster;
