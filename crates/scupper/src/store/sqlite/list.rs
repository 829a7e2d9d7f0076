use crate::error::{ErrorKind, Result};
use crate::store::outcome::{Cursor, Page};
use crate::store::sqlite::bucket::Bucket;
use crate::store::sqlite::chunks::integer;
use crate::store::sqlite::form::unpack_head;
use crate::store::sqlite::link::Link;
use crate::time::Timestamp;

/// So many rows are looked at for a page, whatever was asked for.
const MOST: usize = 1_000;

struct Found {
    key: Vec<u8>,
    idle_from: i64,
    /// Whether nothing stands in the way of its leaving but what it owes.
    owes_while_kept: bool,
}

/// A page of keys that begin with this and owe something, in the order of their bytes.
pub(super) fn list(link: &Link, prefix: &str, after: Option<&Cursor>, most: usize, now: Timestamp) -> Result<Page> {
    let most = most.clamp(1, MOST);
    let read = |row: &rusqlite::Row<'_>| {
        let head = unpack_head(row.get_ref(2)?.as_blob()?);
        // One that cannot be read is shown, so that somebody comes to see it.
        let owes_while_kept = head.map_or(true, |(head, _)| head.has_no_floor());
        Ok(Found { key: row.get_ref(0)?.as_blob()?.to_vec(), idle_from: row.get(1)?, owes_while_kept })
    };
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = match after {
        None => link.all(FROM, (prefix.as_bytes(), limit), read)?,
        Some(after) => link.all(AFTER, (after.place().as_bytes(), limit), read)?,
    };
    let is_last = rows.len() < most || rows.last().is_some_and(|row| !row.key.starts_with(prefix.as_bytes()));
    let mut page = Page::default();
    for row in rows {
        if !row.key.starts_with(prefix.as_bytes()) {
            break;
        }
        let Ok(key) = String::from_utf8(row.key) else { continue };
        if !is_last {
            page.next = Some(Cursor::new(key.as_str()));
        }
        if row.idle_from > integer(now.as_micros()) && (row.owes_while_kept || owes(link, &key, now)?) {
            page.keys.push(key);
        }
    }
    Ok(page)
}

fn owes(link: &Link, key: &str, now: Timestamp) -> Result<bool> {
    match Bucket::find(link, key).and_then(|bucket| bucket.owes(link, now)) {
        // Likewise. Where it is the file that cannot be read, the transaction fails as a whole.
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(true),
        owes => owes,
    }
}

const FROM: &str = "SELECT key, idle_from, state FROM bucket WHERE key >= ?1 ORDER BY key LIMIT ?2";
const AFTER: &str = "SELECT key, idle_from, state FROM bucket WHERE key > ?1 ORDER BY key LIMIT ?2";
