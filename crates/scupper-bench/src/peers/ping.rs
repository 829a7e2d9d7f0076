//! `PING` by redis-rs: the least that a server can be asked, by the client that our store is built on.
//!
//! One multiplexed connection, a copy of it for each task, with that client's own settings but for the time that an answer
//! may take: a machine that stops for a moment is no error.

use anyhow::Result;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use crate::caller::{Caller, PATIENCE};

pub(crate) const NAME: &str = "PING";

#[derive(Clone)]
pub(crate) struct Ping(MultiplexedConnection);

impl Ping {
    /// What drives the connection is a task of this runtime, as it is for users.
    pub(crate) fn connect(url: &str, runtime: &Runtime) -> Result<Self> {
        let client = redis::Client::open(url)?;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        Ok(Self(runtime.block_on(client.get_multiplexed_async_connection_with_config(&config))?))
    }
}

impl Caller for Ping {
    async fn call(&mut self) -> Result<bool> {
        let answer: String = redis::cmd("PING").query_async(&mut self.0).await?;
        Ok(answer == "PONG")
    }
}
