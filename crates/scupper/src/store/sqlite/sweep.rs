//! How rows of buckets that owe nothing leave.

use crate::error::Result;
use crate::store::sqlite::chunks::{Chunks, integer};
use crate::store::sqlite::link::Link;
use crate::time::Timestamp;

/// Where a walk over all rows is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    after: i64,
    /// When the first of the rows that it has met and left there can leave.
    earliest: Option<i64>,
}

/// How a walk goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// There are more rows.
    #[default]
    GoesOn,
    /// It begins anew. The first of the rows that are left can leave then; none are left without it.
    Ends { earliest: Option<i64> },
}

/// What a few steps of a walk came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Walked {
    pub(super) removed: usize,
    pub(super) way: Way,
}

impl Walk {
    /// A bucket with more chunks than this does not leave at once.
    const CHUNKS: u16 = 128;

    /// Looks at so many rows, and removes those that are idle.
    pub(super) fn step(&mut self, link: &Link, now: Timestamp, most: usize) -> Result<Walked> {
        let sql = "SELECT id, idle_from FROM bucket WHERE id > ?1 ORDER BY id LIMIT ?2";
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = link.all(sql, (self.after, limit), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        let (now, is_end) = (integer(now.as_micros()), rows.len() < most);
        let mut walked = Walked::default();
        for (id, idle_from) in rows {
            if idle_from > now {
                self.earliest = Some(self.earliest.map_or(idle_from, |earliest| earliest.min(idle_from)));
            } else if (Chunks { link, id }).remove_some(Self::CHUNKS)? == usize::from(Self::CHUNKS) {
                // The rest of them at the next visit.
                return Ok(walked);
            } else {
                link.execute("DELETE FROM bucket WHERE id = ?1", (id,))?;
                walked.removed += 1;
            }
            self.after = id;
        }
        if is_end {
            walked.way = Way::Ends { earliest: self.earliest };
            *self = Self::default();
        }
        Ok(walked)
    }
}
