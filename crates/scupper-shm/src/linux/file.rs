//! A file that is there, looked at before it is trusted.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open, stat};
use rustix::io::{self, pread};

use super::access::Access;
use super::header::{Flaw, Geometry, HEADER};
use crate::{OpenError, OpenErrorKind};

/// Without blocking at what turns out to be a pipe, and without becoming the terminal of this process.
const FLAGS: OFlags = OFlags::RDWR.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// An open file, and what is needed to open it once more.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    path: PathBuf,
    identity: (u64, u64),
    access: Access,
}

impl Opened {
    /// None if there is no file.
    pub(super) fn existing(path: &Path) -> Result<Option<Self>, OpenError> {
        let error = |errno| could_not_open(path, errno);
        // Before it is opened: that alone makes some devices do something.
        match stat(path) {
            Ok(stat) => must_be_a_file(path, &stat)?,
            Err(io::Errno::NOENT) if path.symlink_metadata().is_err() && folder_of(path).is_dir() => return Ok(None),
            // Somebody has made it in between.
            Err(io::Errno::NOENT) if path.exists() => {}
            Err(errno) => return Err(error(errno)),
        }
        let file = match open(path, FLAGS, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(io::Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(error(errno)),
        };
        must_be_a_file(path, &fstat(&file).map_err(error)?)?;
        Self::new(file, path).map(Some).map_err(error)
    }

    pub(super) fn new(file: File, path: &Path) -> io::Result<Self> {
        let stat = fstat(&file)?;
        let (identity, access) = (identity(&stat), Access::of(&stat));
        // So that it is found again from another folder.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { file, path, identity, access })
    }

    /// Device and number of the file: no other that exists has both.
    pub(super) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Who owned it when it was opened, and who might write it.
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Whether it was removed, or another is at its path, as far as this process can see.
    pub(super) fn is_gone(&self) -> bool {
        // A program that closes all descriptors, to become a daemon, may have another file by this number.
        let is_removed = || fstat(&self.file).is_ok_and(|stat| identity(&stat) == self.identity && stat.st_nlink == 0);
        // That there is none at the path says nothing: this process may have another root by now.
        stat(&self.path).is_ok_and(|stat| identity(&stat) != self.identity) || is_removed()
    }

    /// Another description of the same file, also when it was renamed or removed.
    pub(super) fn again(&self) -> io::Result<File> {
        let by_number = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        self.same_at(Path::new(&by_number)).or_else(|_| self.same_at(&self.path))
    }

    fn same_at(&self, path: &Path) -> io::Result<File> {
        let file = open(path, FLAGS, Mode::empty())?;
        // Something else may have been put there.
        let is_same = identity(&fstat(&file)?) == self.identity;
        is_same.then(|| File::from(file)).ok_or(io::Errno::STALE)
    }

    /// What the header says, if it says what such a file's does and the file is as long.
    pub(super) fn geometry(&self) -> Result<Geometry, OpenError> {
        let failed = |errno| could_not_open(&self.path, errno);
        let length = u64::try_from(fstat(&self.file).map_err(failed)?.st_size).unwrap_or_default();
        let mut begin = [0; HEADER];
        let read = pread(&self.file, &mut begin, 0).map_err(failed)?;
        let begin = begin.get(..read).unwrap_or_default();
        let (kind, message) = match Geometry::read(begin) {
            _ if begin.is_empty() => (
                OpenErrorKind::Empty,
                "the file is empty: remove it, so that it is made anew, or name another".to_owned(),
            ),
            Err(Flaw::Foreign) => {
                (OpenErrorKind::Foreign, "the file is another program's and is left alone: name another".to_owned())
            }
            Err(Flaw::Version(version)) => {
                let message =
                    format!("the file is of version {version}, which this program does not know: name another file");
                (OpenErrorKind::Version, message)
            }
            Ok(_) | Err(_) if begin.len() < HEADER => (
                OpenErrorKind::TooShort,
                format!("the file has {length} bytes, and its header alone has {HEADER}: remove it"),
            ),
            Err(Flaw::Damaged | Flaw::TooShort) => {
                let message = "the header of the file contradicts itself, something else wrote into it: remove it";
                (OpenErrorKind::Damaged, message.to_owned())
            }
            Ok(geometry) if geometry.length() as u64 != length => {
                let right = geometry.length();
                (
                    OpenErrorKind::Length,
                    format!("the file has {length} bytes, and by its header it has {right}: remove it"),
                )
            }
            Ok(geometry) => return Ok(geometry),
        };
        Err(OpenError::new(kind, &self.path, message))
    }
}

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// The folder that the path's last name is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder == Path::new("") => Path::new("."),
        Some(folder) => folder,
        None => path,
    }
}

fn must_be_a_file(path: &Path, stat: &Stat) -> Result<(), OpenError> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => {
            let message = "the path is a folder: name a file in it";
            Err(OpenError::new(OpenErrorKind::Folder, path, message))
        }
        _ => {
            let message = "the path is a device, a pipe or a socket: name a file";
            Err(OpenError::new(OpenErrorKind::NotAFile, path, message))
        }
    }
}

/// What it means that a path could not be opened, or no file be made there.
pub(super) fn could_not_open(path: &Path, errno: io::Errno) -> OpenError {
    let is_link = || fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let (kind, message) = match errno {
        io::Errno::NOENT | io::Errno::NOTDIR | io::Errno::LOOP if is_link() => (
            OpenErrorKind::DanglingLink,
            "the path is a symbolic link that leads to no file: remove it, or make what it names",
        ),
        io::Errno::NOENT | io::Errno::NOTDIR => (
            OpenErrorKind::NoFolder,
            "the folder of the file does not exist, or is no folder: make it, or name another",
        ),
        io::Errno::ACCESS | io::Errno::PERM
            if File::open(path).is_ok_and(|file| file.metadata().is_ok_and(|it| it.is_file())) =>
        {
            (
                OpenErrorKind::ReadOnly,
                "the file may be read but not written by this user: let its owner allow both, or name another",
            )
        }
        io::Errno::ACCESS | io::Errno::PERM => {
            let message =
                "this user may not read and write the file, or not reach or change its folder: let its owner allow it";
            (OpenErrorKind::NoPermission, message)
        }
        io::Errno::ROFS => {
            (OpenErrorKind::ReadOnly, "the file system is mounted read-only: name a file on one that can be written")
        }
        io::Errno::NOSPC | io::Errno::DQUOT | io::Errno::FBIG => {
            (OpenErrorKind::NoSpace, "there is no room for the file: make some, or let it be smaller")
        }
        io::Errno::EXIST => (OpenErrorKind::AlreadyExists, "there is such a file by now: open it"),
        _ => (OpenErrorKind::Io, "the system refused it"),
    };
    OpenError::new(kind, path, message).because_of(errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_has_a_kind_of_its_own() {
        let kind = |errno| could_not_open(Path::new("/no/such/file"), errno).kind();
        let kinds = [
            (io::Errno::ROFS, OpenErrorKind::ReadOnly),
            (io::Errno::NOSPC, OpenErrorKind::NoSpace),
            (io::Errno::DQUOT, OpenErrorKind::NoSpace),
            (io::Errno::ACCESS, OpenErrorKind::NoPermission),
            (io::Errno::PERM, OpenErrorKind::NoPermission),
            (io::Errno::NOENT, OpenErrorKind::NoFolder),
            (io::Errno::EXIST, OpenErrorKind::AlreadyExists),
            (io::Errno::MFILE, OpenErrorKind::Io),
        ];
        for (errno, right) in kinds {
            assert_eq!(kind(errno), right, "{errno}");
        }
    }
}
