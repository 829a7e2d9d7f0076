//! A bare transaction by rusqlite: the least that one row costs in a file that is as durable as our store's.
//!
//! `BEGIN IMMEDIATE`, one `INSERT` and `COMMIT`, each prepared before the time is taken, on a connection with the settings of
//! our store's.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use rusqlite::{Connection, params};

use crate::caller::{Laps, PATIENCE};

pub(crate) const NAME: &str = "INSERT";

/// A table to insert into, and connections to do it on.
#[derive(Debug)]
pub(crate) struct Insert(Vec<Mutex<Connection>>);

impl Insert {
    /// For so many threads.
    pub(crate) fn open(path: &Path, threads: u64) -> Result<Self> {
        let connect = |_| {
            let connection = Connection::open(path)?;
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "normal")?;
            connection
                .execute("CREATE TABLE IF NOT EXISTS event (tick INTEGER NOT NULL, total INTEGER NOT NULL)", [])?;
            Ok(Mutex::new(connection))
        };
        (0..threads).map(connect).collect::<Result<_>>().map(Self)
    }

    /// Inserts a row after the other, as that thread.
    pub(crate) fn fill(&self, thread: u64, laps: &mut Laps) -> Result<()> {
        let connection = self.0.get(usize::try_from(thread)?).context("there is no connection for this thread")?;
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
        let mut insert = connection.prepare("INSERT INTO event (tick, total) VALUES (?1, ?2)")?;
        let mut commit = connection.prepare("COMMIT")?;
        // As large as a time in microseconds, and a total of many.
        let (mut tick, mut total) = (1_800_000_000_000_000_i64, 0_i64);
        laps.fill(|| {
            (tick, total) = (tick + 1, total + 1);
            begin.execute([])?;
            let inserted = insert.execute(params![tick, total])?;
            commit.execute([])?;
            Ok(inserted == 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::caller::threads;
    use crate::folder::Folder;
    use crate::run::Span;

    #[test]
    fn every_row_that_was_counted_is_there() -> Result<()> {
        let folder = Folder::on_disk()?;
        let path = folder.file("peer.db");
        let insert = Insert::open(&path, 2)?;
        let span = Span { lead: Duration::ZERO, length: Duration::from_millis(5) };
        let run = threads(2, span, |thread, laps| insert.fill(thread, laps))?;
        let rows: i64 = Connection::open(&path)?.query_row("SELECT count(*) FROM event", [], |row| row.get(0))?;
        assert_eq!((usize::try_from(rows)?, run.admitted), (run.latencies.len(), run.latencies.len()));
        Ok(())
    }
}
