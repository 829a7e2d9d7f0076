use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::host_clock::ThisHost;
use crate::store::shared_memory::mapped::Mapped;
use crate::store::shared_memory::settings::Settings;
use crate::store::shared_memory::store::SharedMemoryStore;
use crate::store::shared_memory::url::Address;

/// Sets up a [`SharedMemoryStore`]. What is set here counts before what the URL says.
///
/// | setting | unless set |
/// |---|---|
/// | [`size`](Self::size) | that of the URL, or of the file that is there, or else 16 MiB |
/// | [`mode`](Self::mode) | that of the URL, or else 0o600: this user alone |
/// | [`lock_within`](Self::lock_within) | that of the URL, or else 500 ms |
///
/// # Examples
/// ```no_run
/// use scupper::SharedMemoryStore;
/// use std::time::Duration;
///
/// let store = SharedMemoryStore::builder("shm:limits").size(64 << 20).lock_within(Duration::from_millis(100)).open()?;
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it opens"]
pub struct SharedMemoryStoreBuilder {
    url: String,
    settings: Settings,
}

impl SharedMemoryStore {
    /// The store that this URL names; its file is made if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a URL that is wrong, and says in which part; for a folder that is not there, a file
    /// that this user may not read and write, one of another user by a name that is not said to be shared, one that is empty or
    /// another program's, or one of another size than asked for. [`ErrorKind::Corrupt`] for a file that is damaged, of another
    /// version, or cut off. [`ErrorKind::Unavailable`] where there is no room for it.
    /// [`ErrorKind::Unsupported`] elsewhere than on 64-bit Linux.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ErrorKind, SharedMemoryStore};
    ///
    /// let error = SharedMemoryStore::open("shm:limits?size=large").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    /// assert!(error.to_string().contains("size=64MiB"), "{error}");
    /// ```
    pub fn open(url: &str) -> Result<Self> {
        Self::builder(url).open()
    }

    /// Sets up a store.
    pub fn builder(url: &str) -> SharedMemoryStoreBuilder {
        SharedMemoryStoreBuilder { url: url.to_owned(), settings: Settings::default() }
    }
}

impl SharedMemoryStoreBuilder {
    /// How many bytes the file is made with, 64 KiB to 1 TiB. It never grows. One that is there must have this size.
    pub fn size(mut self, bytes: u64) -> Self {
        self.settings.size = Some(bytes);
        self
    }

    /// The permissions that the file is made with, like `0o660` for a group; whoever uses it must be able to read and write
    /// it. One that is there keeps its own. By name, as `shm:name`, files of other users are taken only by those who say here that
    /// others may write it: [a section](SharedMemoryStore#who-may-use-it) says whose.
    pub fn mode(mut self, mode: u32) -> Self {
        self.settings.mode = Some(mode);
        self
    }

    /// How long to wait for the lock, which is held for some ten nanoseconds at a time. It takes longer only where a process was
    /// stopped in the middle of a decision; then requests fail, and nothing was taken.
    pub fn lock_within(mut self, limit: Duration) -> Self {
        self.settings.lock_within = Some(limit);
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// Those of [`SharedMemoryStore::open`], and [`ErrorKind::InvalidConfig`] for a setting out of its range.
    pub fn open(self) -> Result<SharedMemoryStore> {
        let Address { path, is_name, settings } = self.url.parse()?;
        let settings = self.settings.or(settings);
        if let Some(mode) = settings.mode.filter(|mode| mode & 0o600 != 0o600 || mode & !0o666 != 0) {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "the mode {mode:#o} is none for shared memory: its owner must read and write it, and nobody can run it; \
                     use 0o600, 0o660 or 0o666, in a URL mode=600"
                ),
            ));
        }
        let mapped = Mapped::open(&path, settings, Box::new(ThisHost))?;
        if is_name {
            mapped.must_be_from(settings.mode.unwrap_or(Settings::MODE))?;
        }
        Ok(SharedMemoryStore::new(mapped, settings.lock_within.unwrap_or(Settings::LOCK_WITHIN)))
    }
}
