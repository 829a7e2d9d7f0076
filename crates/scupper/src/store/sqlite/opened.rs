//! The open file of a store.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::store::bucket::{BucketState, corrupt};
use crate::store::host_clock::{Anchor, Host};
use crate::store::sqlite::failure::{Failure, explain, is_busy};
use crate::store::sqlite::link::Link;
use crate::store::sqlite::place::{FileId, find_or_create};
use crate::store::sqlite::schema::{self, anchor_from_bytes, anchor_to_bytes};
use crate::store::sqlite::sweep::Walk;
use crate::sync::Arc;
use crate::time::Timestamp;

/// A connection to the file of a store, and what it knows of the file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) walk: Walk,
    path: PathBuf,
    id: FileId,
    host: Arc<dyn Host>,
    anchor: Option<Anchor>,
    /// When it was last seen that the path still leads here, in microseconds since the boot.
    looked_at: u64,
    /// Something went wrong: it is to be opened anew.
    pub(super) is_suspect: bool,
}

impl Opened {
    /// How long it may stay unnoticed that the file was removed or another put in its place.
    const LOOK_EVERY: u64 = 1_000_000;

    /// Opens the file, and makes it if there is none.
    pub(super) fn open(path: &Path, host: &Arc<dyn Host>) -> Result<Self, Failure> {
        let id = find_or_create(path, &**host)?;
        let connection = connect(path).map_err(|error| cannot_open(path, error))??;
        Ok(Self {
            link: Link::new(connection),
            walk: Walk::default(),
            path: path.to_owned(),
            id,
            host: Arc::clone(host),
            anchor: None,
            looked_at: host.since_boot(),
            is_suspect: false,
        })
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    /// Whether the path leads to this file no longer, looked at once in a while.
    pub(super) fn is_gone(&mut self) -> bool {
        let now = self.host.since_boot();
        if now.saturating_sub(self.looked_at) < Self::LOOK_EVERY {
            return false;
        }
        self.looked_at = now;
        FileId::at(&self.path) != Some(self.id)
    }

    /// The store's time, within a transaction.
    pub(super) fn now(&mut self) -> Result<Timestamp> {
        let anchor = match self.anchor {
            Some(anchor) => anchor,
            None => self.read_anchor()?,
        };
        self.anchor = Some(anchor);
        let now = anchor.now(&*self.host);
        if now > BucketState::LATEST {
            return Err(corrupt("its clock is set to a time that cannot be"));
        }
        Ok(now)
    }

    /// Closes it, and leaves what is to be done at the end to whoever comes next: a fork is not to wait for the disk.
    pub(super) fn close_for_a_fork(self) {
        self.link.leave();
    }

    fn read_anchor(&self) -> Result<Anchor> {
        let read = |row: &rusqlite::Row<'_>| Ok(anchor_from_bytes(row.get_ref(0)?.as_blob()?));
        let kept = self.link.first("SELECT numbers FROM clock WHERE id = 1", (), read)?;
        let anchor = kept.flatten().ok_or_else(|| corrupt("its time is missing"))?;
        if anchor.is_current(&*self.host)? {
            return Ok(anchor);
        }
        let anchor = anchor.after_reboot(&*self.host)?;
        self.write_anchor(anchor)?;
        Ok(anchor)
    }

    fn write_anchor(&self, anchor: Anchor) -> Result<()> {
        self.link.execute("UPDATE clock SET numbers = ?1 WHERE id = 1", (&anchor_to_bytes(anchor)[..],))?;
        Ok(())
    }

    /// Writes down the time once in a while, for after a reboot.
    pub(super) fn keep_time(&mut self, now: Timestamp) -> Result<()> {
        if let Some(renewed) = self.anchor.and_then(|anchor| anchor.renewed(now, &*self.host)) {
            self.write_anchor(renewed)?;
            self.anchor = Some(renewed);
        }
        Ok(())
    }
}

fn connect(path: &Path) -> rusqlite::Result<Result<Connection, Failure>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Who waits, waits elsewhere, and not with the file open in its hands.
    connection.busy_timeout(Duration::ZERO)?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get::<_, i64>(0))?;
    if let Err(error) = schema::check(application, version, tables) {
        return Ok(Err(Failure::NotDone(named(path, &error))));
    }
    if connection.is_readonly("main")? {
        let what = "cannot be written; let this user write it and its folder";
        let error = Error::new(ErrorKind::InvalidConfig, format!("{} {what}", path.display()));
        return Ok(Err(Failure::NotDone(error)));
    }
    let journal = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    if journal != "wal" {
        let what = "lies where processes cannot share memory, as on a network's file system; put it on a local disk";
        let error = Error::new(ErrorKind::InvalidConfig, format!("{} {what}", path.display()));
        return Ok(Err(Failure::NotDone(error)));
    }
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; \
         PRAGMA journal_size_limit = 8388608;",
    )?;
    Ok(Ok(connection))
}

#[cold]
fn named(path: &Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("{}: {}", path.display(), error.message()))
}

#[cold]
fn cannot_open(path: &Path, error: rusqlite::Error) -> Failure {
    use rusqlite::ffi::ErrorCode;
    if is_busy(&error) {
        return Failure::Busy;
    }
    let (kind, what) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            (ErrorKind::InvalidConfig, "is no SQLite database; name a file that does not exist yet")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (ErrorKind::InvalidConfig, "cannot be read and written; let this user write it and its folder")
        }
        _ => {
            let explained = explain(error);
            return Failure::NotDone(named(path, &explained).with_source(explained));
        }
    };
    Failure::NotDone(Error::new(kind, format!("{} {what} ({error})", path.display())).with_source(error))
}
