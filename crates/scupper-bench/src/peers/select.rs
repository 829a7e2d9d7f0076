//! `SELECT 1`, prepared: the least that a server can be asked, by the client that our store is built on.
//!
//! A pool of connections of its own, as many as our store has, which callers take in turns; the statement is prepared once a
//! connection.

use anyhow::{Result, ensure};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::NoTls;

use crate::caller::Caller;

pub(crate) const NAME: &str = "SELECT 1";

/// A pool that is filled as it is asked for.
pub(crate) fn pool(url: &str, connections: usize) -> Result<Pool> {
    let recycling_method = RecyclingMethod::Fast;
    let manager = Manager::from_config(url.parse()?, NoTls, ManagerConfig { recycling_method });
    Ok(Pool::builder(manager).max_size(connections).build()?)
}

#[derive(Clone)]
pub(crate) struct Select(pub(crate) Pool);

impl Caller for Select {
    async fn call(&mut self) -> Result<bool> {
        let client = self.0.get().await?;
        let statement = client.prepare_cached("SELECT 1").await?;
        let one: i32 = client.query_one(&statement, &[]).await?.try_get(0)?;
        ensure!(one == 1, "one is {one}");
        Ok(true)
    }
}
