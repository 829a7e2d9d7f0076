//! Where the file of a store is, and how it comes to be there.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::store::host_clock::Host;
use crate::store::sqlite::failure::{Failure, is_busy};
use crate::store::sqlite::file_system;
use crate::store::sqlite::schema::{self, CreateError};

/// Which file a path leads to: the numbers of its device and of itself there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId(u64, u64);

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }

    /// The file that is there now, if one is.
    pub(super) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }
}

/// An error of the setup, which names the file.
#[cold]
fn wrong(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("{} {what}", path.display()))
}

/// The path from the root on, without links, so that whoever opens the file finds the same others beside it.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] for a path that cannot lead to the file of a store.
pub(super) fn real_path(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Error::new(ErrorKind::InvalidConfig, "the path of the file is empty; write sqlite:limits.db"));
    }
    if path.as_os_str() == ":memory:" {
        let what = "SQLite in memory is nothing that processes could share; write memory: for a store in memory, or name a file";
        return Err(Error::new(ErrorKind::InvalidConfig, what));
    }
    let Some(name) = path.file_name() else {
        return Err(wrong(path, "names no file; name one in that folder"));
    };
    match fs::canonicalize(path) {
        Ok(real) => Ok(real),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            if fs::symlink_metadata(path).is_ok() {
                return Err(wrong(path, "is a link to a file that does not exist; remove it, or name the file itself"));
            }
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match fs::canonicalize(folder) {
                Ok(real) if real.is_dir() => Ok(real.join(name)),
                Ok(_) => Err(no_folder(folder, io::ErrorKind::NotADirectory.into())),
                Err(error) => Err(no_folder(folder, error)),
            }
        }
        Err(error) => Err(cannot_look(path, error)),
    }
}

#[cold]
fn no_folder(folder: &Path, error: io::Error) -> Error {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "does not exist; make the folder first",
        io::ErrorKind::NotADirectory => "is no folder; name a file in a folder",
        _ => return cannot_look(folder, error),
    };
    wrong(folder, what).with_source(error)
}

#[cold]
fn cannot_look(path: &Path, error: io::Error) -> Error {
    wrong(path, &format!("cannot be reached: {error}; let this user into its folder")).with_source(error)
}

/// Looks at the file, and makes it if there is none; says which it is.
pub(super) fn find_or_create(path: &Path, host: &dyn Host) -> Result<FileId, Failure> {
    file_system::check(path.parent().unwrap_or(Path::new("/"))).map_err(Failure::NotDone)?;
    match fs::metadata(path) {
        Ok(metadata) => check(path, &metadata).map_err(Failure::NotDone),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path, host)?;
            let made = fs::metadata(path).map_err(|error| Failure::NotDone(cannot_look(path, error)))?;
            check(path, &made).map_err(Failure::NotDone)
        }
        Err(error) => Err(Failure::NotDone(cannot_look(path, error))),
    }
}

/// Whether that can be the file of a store. It is not opened for that: to close it again would let go the locks that this
/// process has on it.
fn check(path: &Path, metadata: &Metadata) -> Result<FileId> {
    const SMALLEST_DATABASE: u64 = 512;
    if metadata.is_dir() {
        return Err(wrong(path, "is a folder; name a file in it"));
    }
    if !metadata.is_file() {
        return Err(wrong(path, "is no regular file; name one, or a file that does not exist yet"));
    }
    if metadata.len() == 0 {
        return Err(wrong(path, "is empty, and no store's; remove it, or name a file that does not exist yet"));
    }
    if metadata.len() < SMALLEST_DATABASE {
        return Err(wrong(path, "is no SQLite database; name a file that does not exist yet"));
    }
    if metadata.nlink() > 1 {
        let what = "has another name besides (a hard link), under which SQLite would not see what was written under this \
                    one; remove one of them, or use a symbolic link";
        return Err(wrong(path, what));
    }
    Ok(FileId::of(metadata))
}

/// Makes the file of a store, whole or not at all: nobody ever sees a part of it.
fn create(path: &Path, host: &dyn Host) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let opened = File::open(folder).map_err(|error| Failure::NotDone(no_folder(folder, error)))?;
    // One at a time, and a process that ends lets it go.
    match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(Failure::Busy),
        Err(error) => return Err(cannot_create(path, error.into())),
    }
    if fs::metadata(path).is_ok() {
        return Ok(());
    }
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let new = beside(".new");
    // What a file of that name left behind is none of the new one's, nor what a process left that was killed just here.
    for suffix in ["-wal", "-shm", "-journal", ".new", ".new-wal", ".new-shm", ".new-journal"] {
        match fs::remove_file(beside(suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot_create(path, error)),
            _ => {}
        }
    }
    fill(&new, host).map_err(|failure| {
        let _ = fs::remove_file(&new);
        match failure {
            CreateError::Sqlite(error) if is_busy(&error) => Failure::Busy,
            CreateError::Sqlite(error) => cannot_fill(path, error),
            CreateError::Other(error) => Failure::NotDone(error),
        }
    })?;
    let moved = match renameat_with(CWD, &new, CWD, path, RenameFlags::NOREPLACE) {
        // The file system does not know how.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(&new, path),
        moved => moved.map_err(io::Error::from),
    };
    match moved {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(cannot_create(path, error)),
        _ => Ok(()),
    }
}

fn fill(new: &Path, host: &dyn Host) -> Result<(), CreateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(new, flags)?;
    schema::create(&mut connection, host)?;
    connection.close().map_err(|(_, error)| error.into())
}

#[cold]
fn cannot_create(path: &Path, error: io::Error) -> Failure {
    let (kind, advice) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Unavailable, "make room on its disk"),
        _ => (ErrorKind::InvalidConfig, "let this user write its folder"),
    };
    let what = format!("{} cannot be created: {error}; {advice}", path.display());
    Failure::NotDone(Error::new(kind, what).with_source(error))
}

#[cold]
fn cannot_fill(path: &Path, error: rusqlite::Error) -> Failure {
    use rusqlite::ffi::ErrorCode;
    let (kind, advice) = match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (ErrorKind::InvalidConfig, "let this user write its folder")
        }
        Some(ErrorCode::DiskFull) => (ErrorKind::Unavailable, "the disk is full; make room on it"),
        _ => (ErrorKind::Unavailable, "see to its disk"),
    };
    let what = format!("{} cannot be created: {error}; {advice}", path.display());
    Failure::NotDone(Error::new(kind, what).with_source(error))
}
