//! `PING` by redis-rs: the least that a server can be asked, by the client that our store is built on.
//!
//! One multiplexed connection with that client's own settings, a copy of it for each task.

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use crate::caller::Caller;

pub(crate) const NAME: &str = "PING";

#[derive(Clone)]
pub(crate) struct Ping(MultiplexedConnection);

impl Ping {
    /// What drives the connection is a task of this runtime, as it is for users.
    pub(crate) fn connect(url: &str, runtime: &Runtime) -> Result<Self> {
        let client = redis::Client::open(url)?;
        Ok(Self(runtime.block_on(client.get_multiplexed_async_connection())?))
    }
}

impl Caller for Ping {
    async fn call(&mut self) -> Result<bool> {
        let answer: String = redis::cmd("PING").query_async(&mut self.0).await?;
        Ok(answer == "PONG")
    }
}
