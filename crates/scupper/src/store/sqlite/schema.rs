//! What is in the file.

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::store::host_clock::{Anchor, Host};

/// What marks a file of this library among those of other programs: "Scup".
pub(super) const APPLICATION: i64 = 0x5363_7570;
/// The form of the tables. Another is an error, never a guess.
pub(super) const VERSION: i64 = 1;

/// A bucket is a row: when it may be forgotten, its key, and its numbers with the newest events of its log. Older events lie
/// in chunks: the units up to and with the last of them, when that was, and the events. The time lies in a row of its own.
const TABLES: &str = "
CREATE TABLE bucket (
    id INTEGER PRIMARY KEY,
    idle_from INTEGER NOT NULL,
    key BLOB NOT NULL UNIQUE,
    state BLOB NOT NULL
) STRICT;
CREATE TABLE chunk (
    bucket INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    events BLOB NOT NULL,
    PRIMARY KEY (bucket, upto)
) STRICT, WITHOUT ROWID;
CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1), numbers BLOB NOT NULL) STRICT;
";

/// Makes the tables in a new file.
pub(super) fn create(connection: &mut Connection, host: &dyn Host) -> Result<(), CreateError> {
    // Before the first page is written; the journal last, as it writes that page.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    let anchor = anchor_to_bytes(Anchor::first(host)?);
    transaction.execute("INSERT INTO clock (id, numbers) VALUES (1, ?1)", (&anchor[..],))?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    Ok(())
}

/// Why there is no new file.
#[derive(Debug)]
pub(super) enum CreateError {
    Sqlite(rusqlite::Error),
    Other(Error),
}

impl From<rusqlite::Error> for CreateError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for CreateError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Whether a file is of this library, and of this version of it: the two numbers that say so.
pub(super) fn check(application: i64, version: i64, tables: i64) -> Result<()> {
    if application != APPLICATION {
        let what = if tables == 0 { "an empty database" } else { "the database of another program" };
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            format!("it is {what}, and is left as it is; name a file that does not exist yet"),
        ));
    }
    if version != VERSION {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!(
                "its tables are of version {version}, this library knows {VERSION}; \
                 update the library, or name another file"
            ),
        ));
    }
    Ok(())
}

const ANCHOR_BYTES: usize = Anchor::NUMBERS * size_of::<u64>();

pub(super) fn anchor_to_bytes(anchor: Anchor) -> [u8; ANCHOR_BYTES] {
    let mut bytes = [0; ANCHOR_BYTES];
    for (place, number) in bytes.chunks_exact_mut(size_of::<u64>()).zip(anchor.to_numbers()) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

pub(super) fn anchor_from_bytes(bytes: &[u8]) -> Option<Anchor> {
    let bytes: &[u8; ANCHOR_BYTES] = bytes.try_into().ok()?;
    let mut numbers = [0; Anchor::NUMBERS];
    for (number, place) in numbers.iter_mut().zip(bytes.chunks_exact(size_of::<u64>())) {
        *number = u64::from_le_bytes(place.try_into().ok()?);
    }
    Some(Anchor::from_numbers(numbers))
}
