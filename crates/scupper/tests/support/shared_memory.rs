//! Files of shared memory that are gone with their test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file in memory, removed with its value.
#[derive(Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("scupper-test-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(Path::new("/dev/shm").join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The URL of this file, with options, if any, behind a question mark.
    pub(crate) fn url(&self, options: &str) -> String {
        format!("shm:{}{options}", self.0.display())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
