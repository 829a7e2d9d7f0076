//! What `SQLite` says, in the words of this library.

use rusqlite::ffi::{self, ErrorCode};

use crate::error::{Error, ErrorKind};

/// Why a transaction was not carried out.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another process has the file.
    Busy,
    /// Nothing of it was done.
    NotDone(Error),
    /// It may have been done.
    Unknown(Error),
}

impl Failure {
    /// From a statement before the last of a transaction, which is then rolled back.
    #[cold]
    pub(super) fn before_the_end(error: rusqlite::Error) -> Self {
        if is_busy(&error) { Self::Busy } else { Self::NotDone(explain(error)) }
    }

    /// From the last statement of a transaction. That the disk was full is known before what makes it count is written; of
    /// anything else that goes wrong with the file, nobody knows how far it came.
    #[cold]
    pub(super) fn at_the_end(error: rusqlite::Error) -> Self {
        if is_busy(&error) {
            return Self::Busy;
        }
        if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
            let what =
                format!("the file could not be written to its end: {error}; what was asked may or may not count");
            return Self::Unknown(Error::new(ErrorKind::Unknown, what).with_source(error));
        }
        Self::NotDone(explain(error))
    }

    /// The error that each operation gets; one that takes nothing is only not answered.
    pub(super) fn error(&self, takes_nothing: bool) -> Error {
        match self {
            Self::Busy => Error::new(ErrorKind::Unavailable, "another process has the file of the store"),
            Self::Unknown(error) if takes_nothing => Error::new(ErrorKind::Unavailable, error.message().to_owned()),
            Self::NotDone(error) | Self::Unknown(error) => error.again(),
        }
    }
}

/// Whether another connection has what this one wants, for now.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed)
    )
}

/// What went wrong with an open file, and what would be right.
#[cold]
pub(super) fn explain(error: rusqlite::Error) -> Error {
    let (kind, advice) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            (ErrorKind::Unavailable, "another process has the file; ask again later")
        }
        Some(ErrorCode::DiskFull) => (ErrorKind::Unavailable, "the disk is full; make room on it"),
        Some(ErrorCode::ReadOnly) => {
            (ErrorKind::Unavailable, "the file cannot be written; let this user write it and its folder")
        }
        Some(ErrorCode::CannotOpen) => {
            (ErrorKind::Unavailable, "the file cannot be opened; let this user write it and its folder")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (ErrorKind::Corrupt, "the file is damaged; restore or delete it")
        }
        Some(ErrorCode::SystemIoFailure) => {
            (ErrorKind::Unavailable, "the file cannot be read or written; see to its disk")
        }
        Some(ErrorCode::OutOfMemory) => (ErrorKind::Unavailable, "there is no memory left"),
        Some(ErrorCode::Unknown) if is_plain(&error) => {
            (ErrorKind::Corrupt, "the tables of the file are not those of this library; restore or delete it")
        }
        None => (ErrorKind::Corrupt, "what the file holds is not what this library writes; restore or delete it"),
        Some(_) => (ErrorKind::Unavailable, "SQLite could not do it"),
    };
    Error::new(kind, format!("{advice} ({error})")).with_source(error)
}

/// Whether this is what `SQLite` says of a statement that does not go with the tables.
fn is_plain(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_ERROR)
}
