//! Where files are while they are measured.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use anyhow::{Context, Result};

/// Always in memory on Linux.
const SHARED_MEMORY: &str = "/dev/shm";
/// Outlives the machine's start, and so is on a disk.
const LASTING: &str = "/var/tmp";
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// A folder of its own, which goes with all that is in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) file_system: String,
}

impl Folder {
    /// On a disk, if there is a place for temporary files that is on one.
    pub(crate) fn on_disk() -> Result<Self> {
        let usual = env::temp_dir();
        let is_on_disk = |path: &Path| !IN_MEMORY.contains(&&*file_system(path));
        let lasting = Path::new(LASTING);
        Self::within(if !is_on_disk(&usual) && is_on_disk(lasting) { lasting } else { &usual })
    }

    /// In memory that processes can share.
    pub(crate) fn in_memory() -> Result<Self> {
        Self::within(Path::new(SHARED_MEMORY))
    }

    fn within(parent: &Path) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("scupper-bench-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = parent.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self { path, file_system: file_system(parent) })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("{} is left behind: {error}", self.path.display());
        }
    }
}

/// Which kind of file system a folder is on, as the system names it.
fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    kind(&mounts, &folder.canonicalize().unwrap_or_else(|_| folder.to_owned()))
        .unwrap_or("a file system of unknown kind")
        .to_owned()
}

/// That of the nearest mount above; of several in one place, the last covers the others.
fn kind<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounts.filter(|(place, _)| folder.starts_with(place));
    above.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_and_last_mount_says_which_file_system_it_is() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/a xfs rw 0 0\n/dev/vdc /tmp/a btrfs rw 0 0\n";
        for (folder, is) in [("/var/tmp", "ext4"), ("/tmp", "tmpfs"), ("/tmp/ab", "tmpfs"), ("/tmp/a/b", "btrfs")] {
            assert_eq!(kind(mounts, Path::new(folder)), Some(is), "{folder}");
        }
        assert_eq!(kind("", Path::new("/tmp")), None);
    }

    #[test]
    fn a_folder_goes_with_all_that_is_in_it() -> Result<()> {
        let (one, other) = (Folder::on_disk()?, Folder::on_disk()?);
        let file = one.file("limits");
        fs::write(&file, "anything")?;
        assert_ne!(file, other.file("limits"));
        drop(one);
        assert!(!file.parent().context("a folder")?.exists());
        Ok(())
    }
}
