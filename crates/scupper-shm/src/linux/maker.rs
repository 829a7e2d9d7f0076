//! Making a file where nobody sees it, and putting it in place when it is complete.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, fallocate, fchmod, fstatvfs, fsync, link, linkat, open};
use rustix::io;

use super::file::{Opened, could_not_open, folder_of};
use super::header::{Geometry, LONGEST};
use super::mapping::Mapping;
use crate::{OpenError, OpenErrorKind};

const FLAGS: OFlags = OFlags::RDWR.union(OFlags::CLOEXEC);
const OWNER: Mode = Mode::RUSR.union(Mode::WUSR);

/// Makes a file and maps it.
pub(super) fn make(
    path: &Path,
    words: usize,
    mode: u32,
    init: impl FnOnce(&[AtomicU64]),
) -> Result<(Opened, Mapping), OpenError> {
    let invalid = |message: String| OpenError::new(OpenErrorKind::Invalid, path, message);
    let geometry = Geometry::new(words)
        .ok_or_else(|| invalid(format!("{words} words are too many: a file has at most {LONGEST} bytes")))?;
    let permissions = permissions(mode).ok_or_else(|| {
        invalid(format!("permissions {mode:#o} cannot be: 0600 at least, for the owner, and 0777 at most"))
    })?;
    let error = |errno| could_not_open(path, errno);

    let hidden = Hidden::new(folder_of(path)).map_err(error)?;
    reserve(&hidden.file, geometry).map_err(error)?;
    let mapping = Mapping::new(hidden.file.as_fd(), geometry).map_err(error)?;
    geometry.write(mapping.telling());
    init(mapping.words());
    // Not narrowed by the process's mask, as a mode at opening is.
    fchmod(&hidden.file, permissions).map_err(error)?;
    // A loss of power must not leave the name without what it names.
    fsync(&hidden.file).map_err(error)?;
    hidden.put_at(path).map_err(error)?;
    let opened = Opened::new(hidden.into_file(), path).map_err(error)?;
    Ok((opened, mapping))
}

fn permissions(mode: u32) -> Option<Mode> {
    let permissions = Mode::from_raw_mode(mode);
    let can_be = permissions.contains(OWNER) && mode <= 0o777;
    can_be.then_some(permissions)
}

/// Has the system set all blocks aside, so that a full disk shows now, and not in who first writes to one of them.
fn reserve(file: &File, geometry: Geometry) -> io::Result<()> {
    let length = geometry.length();
    // Else the disk would be full for a moment, for everybody.
    let disk = fstatvfs(file)?;
    if disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < length as u64 {
        return Err(io::Errno::NOSPC);
    }
    match fallocate(file, FallocateFlags::empty(), 0, length as u64) {
        // Not every file system knows how.
        Err(io::Errno::OPNOTSUPP | io::Errno::NOSYS) => fill(file, length),
        done => done,
    }
}

fn fill(mut file: &File, length: usize) -> io::Result<()> {
    let zeros = [0; 1 << 14];
    let mut left = length;
    while left > 0 {
        let piece = zeros.get(..left).unwrap_or(&zeros);
        file.write_all(piece).map_err(|error| io::Errno::from_io_error(&error).unwrap_or(io::Errno::IO))?;
        left -= piece.len();
    }
    Ok(())
}

/// A file without a name, or where that is not possible with one that nobody looks for and that goes with this value.
struct Hidden {
    file: File,
    name: Option<Name>,
}

struct Name(PathBuf);

impl Drop for Name {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Hidden {
    fn new(folder: &Path) -> io::Result<Self> {
        match open(folder, FLAGS | OFlags::TMPFILE, OWNER) {
            Ok(file) if Path::new(&by_number(&file)).exists() => Ok(Self { file: file.into(), name: None }),
            // No `/proc`, or a file system or a kernel that cannot.
            Ok(_) | Err(io::Errno::OPNOTSUPP | io::Errno::ISDIR | io::Errno::INVAL) => Self::named(folder),
            Err(error) => Err(error),
        }
    }

    fn named(folder: &Path) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // One that a dead process of the same number left is not taken for ours.
        for _ in 0..1_000 {
            let (process, nth) = (process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = folder.join(format!(".scupper-{process}-{nth}.new"));
            match open(&path, FLAGS | OFlags::CREATE | OFlags::EXCL, OWNER) {
                Ok(file) => return Ok(Self { file: file.into(), name: Some(Name(path)) }),
                Err(io::Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Errno::EXIST)
    }

    /// Never replaces what is there.
    fn put_at(&self, path: &Path) -> io::Result<()> {
        match &self.name {
            Some(Name(name)) => link(name, path),
            None => linkat(CWD, by_number(&self.file), CWD, path, AtFlags::SYMLINK_FOLLOW),
        }
    }

    fn into_file(self) -> File {
        self.file
    }
}

fn by_number(file: &impl AsRawFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_cannot_be_without_a_name_it_has_one_that_goes() {
        let folder = std::env::temp_dir().join(format!("scupper-shm-named-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let names = || fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let path = folder.join("file");
        let hidden = Hidden::named(&folder).unwrap();
        assert_eq!(names().len(), 1);
        hidden.put_at(&path).unwrap();
        assert_eq!(names().len(), 2);
        drop(hidden);
        assert_eq!(names(), ["file"]);
        assert_eq!(Hidden::named(&folder).unwrap().put_at(&path), Err(io::Errno::EXIST));
        assert_eq!(names(), ["file"]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn where_blocks_cannot_be_set_aside_they_are_written() {
        let hidden = Hidden::new(&std::env::temp_dir()).unwrap();
        let length = (1 << 14) * 3 + 4096;
        fill(&hidden.file, length).unwrap();
        let about = hidden.file.metadata().unwrap();
        assert_eq!(about.len(), length as u64);
    }
}
