use std::path::{Path, PathBuf};
<<<<<<< HEAD
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

/// A folder of one test's own, gone with its value.
#[derive(Debug)]
=======
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

/// A folder of a test's own, gone with its value.
>>>>>>> 91e81a1 (Keep buckets in an SQLite file that all processes of a host share)
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
<<<<<<< HEAD
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let name = format!("scupper-test-{}-{}", process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
=======
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("scupper-test-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
>>>>>>> 91e81a1 (Keep buckets in an SQLite file that all processes of a host share)
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
<<<<<<< HEAD
=======

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
>>>>>>> 91e81a1 (Keep buckets in an SQLite file that all processes of a host share)
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
