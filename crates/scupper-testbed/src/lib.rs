//! Real servers for Scupper's tests, and faults in their way.
//!
//! ```
//! use scupper_testbed::{RedisServer, Reply};
//!
//! let server = RedisServer::start();
//! assert_eq!(server.command(&["INCR", "visits"]), Reply::Integer(1));
//! ```
//!
//! Each server listens on loopback alone, keeps what it writes in a temporary folder, and is gone with its folder when its
//! value is dropped or when the process ends, in whatever way. What the machine cannot give, such as a program that is not
//! installed, is a panic that says how to get it.
//!
//! | what | where |
//! |---|---|
//! | a server for one test, or one for all | [`RedisServer`], [`SharedRedis`] |
//! | servers that share the keys, or stand in for each other | [`RedisCluster`], [`RedisSentinel`] |
//! | a Postgres for one test, or one for all | [`PostgresServer`], [`SharedPostgres`] |
//! | TLS | [`Certificates`], for the builder of any of these |
//! | the name of a schema of one's own | [`new_schema`] |
//! | asking a server, without the library under test | [`Client`], [`Reply`]; [`Session`], [`Rows`] |
//! | what goes wrong between a client and a server | [`Proxy`], [`Fault`] |
//! | what goes wrong between a process and its files | [`FileFaults`], [`FileFault`] |
//! | a port that nobody listens on | [`free_port`] |
//! | a temporary folder | [`Folder`] |
//! | waiting for something outside this process | [`await_that`] |
//! | threads that end with a test, however it ends | [`Ends`] |

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot have its server is ended by a panic")]
#![allow(clippy::missing_panics_doc, reason = "whatever fails here panics, as the crate's own page says")]

mod account;
mod certificates;
mod ends;
mod faults;
mod folder;
mod keeper;
mod patience;
mod port;
mod postgres;
mod process;
mod program;
mod proxy;
mod redis;

pub use crate::certificates::Certificates;
pub use crate::ends::Ends;
pub use crate::faults::{FileFault, FileFaults};
pub use crate::folder::Folder;
pub use crate::patience::await_that;
pub use crate::port::free_port;
pub use crate::postgres::{
    Pending, PostgresServer, PostgresServerBuilder, Refusal, Rows, Session, SharedPostgres, new_schema,
};
pub use crate::proxy::{Fault, Proxy};
pub use crate::redis::{Client, RedisServer, RedisServerBuilder, Reply, SharedRedis};
pub use crate::redis::{RedisCluster, RedisClusterBuilder, RedisSentinel, RedisSentinelBuilder};
