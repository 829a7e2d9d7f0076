//! Buckets in Redis or Valkey.

mod secret;

mod endpoint;

mod access;

mod scheme;

mod options;

mod url;

#[cfg(test)]
mod fake;

#[cfg(test)]
mod papers;

mod tls;

mod login;

mod refusal;

mod link;

mod sentinel;

mod settings;

mod job;

mod intake;

mod failure;

mod encode;

mod reply;

mod script;

mod call;

mod contents;

#[cfg(test)]
mod differential;

mod evaluated;

mod node;

mod single;

mod slot;

mod slots;

mod master;

mod cluster;

mod way;

mod list;

mod store;

mod builder;

pub use builder::RedisStoreBuilder;
pub use call::RedisCall;
pub use contents::RedisContents;
pub use store::RedisStore;
