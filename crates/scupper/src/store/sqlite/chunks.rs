//! The older events of a log.

use rusqlite::Row;

use crate::algorithm::Totals;
use crate::error::Result;
use crate::store::bucket::corrupt;
use crate::store::sqlite::link::Link;
use crate::store::sqlite::packed::{Unpacked, push_events};

/// The chunks of one bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks<'l> {
    pub(super) link: &'l Link,
    /// The bucket.
    pub(super) id: i64,
}

/// A number as the database has it; the largest of ours are the end of time.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Chunks<'_> {
    /// So many events make a chunk.
    pub(super) const EVENTS: usize = 32;

    /// The events of the chunk that has the unit with this number.
    pub(super) fn with_unit(self, unit: u64) -> Result<Vec<(u64, u64)>> {
        let sql = "SELECT events FROM chunk WHERE bucket = ?1 AND upto >= ?2 ORDER BY upto LIMIT 1";
        let found = self.link.first(sql, (self.id, integer(unit)), read_events)?;
        found.unwrap_or_else(|| Err(corrupt("a part of its log is missing")))
    }

    /// All events after the unit with this number, and the rest of the chunk that has it.
    pub(super) fn after(self, unit: u64) -> Result<Vec<(u64, u64)>> {
        let sql = "SELECT events FROM chunk WHERE bucket = ?1 AND upto > ?2 ORDER BY upto";
        let chunks = self.link.all(sql, (self.id, integer(unit)), read_events)?;
        Ok(chunks.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    /// Writes down events that come after all that are there.
    pub(super) fn push(self, events: &[(u64, u64)]) -> Result<()> {
        for events in events.chunks(Self::EVENTS) {
            let Some(&(newest, upto)) = events.last() else { continue };
            // The first total as it is: where the chunk begins is nowhere else.
            let mut bytes = Vec::with_capacity(8 * events.len());
            push_events(&mut bytes, 0, events);
            let sql = "INSERT INTO chunk (bucket, upto, newest, events) VALUES (?1, ?2, ?3, ?4)";
            self.link.execute(sql, (self.id, integer(upto), integer(newest), bytes))?;
        }
        Ok(())
    }

    /// Removes some of the oldest chunks that end before this tick; says up to which unit.
    pub(super) fn remove_before(self, tick: u64) -> Result<Option<u64>> {
        const AT_ONCE: i64 = 4;
        let sql = "SELECT max(upto) FROM (SELECT upto, newest FROM chunk WHERE bucket = ?1 ORDER BY upto LIMIT ?2) \
                   WHERE newest < ?3";
        let upto = self.link.first(sql, (self.id, AT_ONCE, integer(tick)), |row| row.get::<_, Option<i64>>(0))?;
        let Some(upto) = upto.flatten() else { return Ok(None) };
        self.remove_upto(upto.unsigned_abs())?;
        Ok(Some(upto.unsigned_abs()))
    }

    /// Removes all chunks that end up to the unit with this number.
    pub(super) fn remove_upto(self, unit: u64) -> Result<()> {
        self.link.execute("DELETE FROM chunk WHERE bucket = ?1 AND upto <= ?2", (self.id, integer(unit)))?;
        Ok(())
    }

    /// Removes so many of them; says how many were there.
    pub(super) fn remove_some(self, most: u16) -> Result<usize> {
        let sql = "DELETE FROM chunk WHERE bucket = ?1 AND upto IN \
                   (SELECT upto FROM chunk WHERE bucket = ?1 ORDER BY upto LIMIT ?2)";
        self.link.execute(sql, (self.id, most))
    }

    /// Removes the bucket, and all chunks.
    pub(super) fn remove_bucket(self) -> Result<()> {
        self.remove_upto(u64::MAX)?;
        self.link.execute("DELETE FROM bucket WHERE id = ?1", (self.id,))?;
        Ok(())
    }
}

fn read_events(row: &Row<'_>) -> rusqlite::Result<Result<Vec<(u64, u64)>>> {
    let bytes = row.get_ref(0)?.as_blob()?;
    Ok(Unpacked(bytes).events(0).and_then(|events| match events.last() {
        Some((_, total)) if *total > Totals::HIGHEST => Err(corrupt("its log has more units than can be counted")),
        _ => Ok(events),
    }))
}
