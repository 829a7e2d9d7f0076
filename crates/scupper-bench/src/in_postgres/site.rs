//! Where a contest is held.

use std::sync::Arc;

use anyhow::Result;
use rustix::time::{ClockId, Timespec, clock_gettime};
use scupper::{Durability, PostgresStoreBuilder};
use scupper_testbed::{PostgresServer, Session};
use tokio::runtime::Runtime;

use crate::caller::runtime;
use crate::contest::{Contest, Pace, Side, Title};
use crate::in_postgres::{NEVER_FULL, SUITE};
use crate::ours::Algorithm;
use crate::ours::asked::{Asked, postgres};
use crate::peers::select::{Select, pool};
use crate::run::Spent;

const KEYS: usize = 1_000;

/// Connections, on either side.
pub(super) const POOL: usize = 8;

/// A server that waits for its disk, and a runtime to ask it from.
#[derive(Debug)]
pub(super) struct Site {
    server: PostgresServer,
    pub(super) runtime: Runtime,
    /// For questions to the server that are not timed.
    session: Session,
    pub(super) keys: Arc<[String]>,
}

impl Site {
    pub(super) fn new() -> Result<Self> {
        let server = PostgresServer::builder().line("fsync = on").start();
        let session = server.session()?;
        session.ask("CREATE EXTENSION pgstattuple; GRANT ALL ON SCHEMA public TO scupper");
        let keys = (0..KEYS).map(|number| format!("user:{number}")).collect();
        Ok(Self { server, runtime: runtime()?, session, keys })
    }

    pub(super) fn contest(&self, case: impl Into<String>, pace: Pace, sides: &[Side<'_>]) -> Result<Contest> {
        let spent = || Ok(Spent { client: nanos(clock_gettime(ClockId::ProcessCPUTime)), ..Spent::default() });
        Contest::hold(Title(SUITE, case.into()), pace, &self.runtime, spent, sides)
    }

    pub(super) fn select(&self) -> Result<Select> {
        Ok(Select(self.pool()?))
    }

    /// Connections for a peer of the store.
    pub(super) fn pool(&self) -> Result<deadpool_postgres::Pool> {
        pool(&self.server.url(), POOL)
    }

    /// A store with a schema of its own.
    pub(super) fn store(&self, schema: &str, durability: Durability) -> PostgresStoreBuilder {
        postgres(&self.server.url()).schema(schema).durability(durability).pool(POOL)
    }

    /// The numbers in the first row of an answer.
    pub(super) fn numbers(&self, sql: &str) -> Result<Vec<f64>> {
        let rows = self.session.try_ask(sql)?;
        let row = rows.0.into_iter().next().unwrap_or_default();
        Ok(row.iter().flatten().map(|number| number.parse()).collect::<Result<_, _>>()?)
    }

    /// A limiter for those who ask in this schema.
    pub(super) fn open(&self, schema: &str, durability: Durability) -> Result<Asked> {
        let store = self.store(schema, durability).connect_blocking()?;
        Asked::open(&NEVER_FULL, Algorithm::SlidingWindowLog, Arc::new(store))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run takes far less than the hundred days that a double can count")]
fn nanos(time: Timespec) -> f64 {
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
