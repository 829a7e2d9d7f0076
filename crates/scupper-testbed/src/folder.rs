//! Folders for what a test writes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::keeper::Keeper;

/// A temporary folder of one's own, with nothing in it. It is gone when its value is dropped, or when the process ends, in
/// whatever way. Others may look into it, and write nothing.
///
/// # Examples
///
/// ```
/// use scupper_testbed::Folder;
///
/// let folder = Folder::new();
/// std::fs::write(folder.file("one"), "1")?;
/// let path = folder.path().to_owned();
/// drop(folder);
/// assert!(!path.exists());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Folder(Keeper);

impl Folder {
    /// A new one.
    #[must_use = "a folder lives as long as its value"]
    #[allow(clippy::new_without_default, reason = "as with servers, there is nothing ordinary about making one")]
    pub fn new() -> Self {
        let keeper = Keeper::new();
        fs::set_permissions(keeper.folder(), Permissions::from_mode(0o755)).expect("the folder is our own");
        Self(keeper)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.folder()
    }

    /// A file in it, that need not be there.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}
