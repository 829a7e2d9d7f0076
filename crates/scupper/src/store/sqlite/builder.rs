use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Result;
use crate::store::host_clock::{Host, ThisHost};
use crate::store::sqlite::files::Shared;
use crate::store::sqlite::store::SqliteStore;
use crate::store::sqlite::url::Address;
use crate::sync::Arc;

/// Sets up a [`SqliteStore`].
///
/// | setting | unless set |
/// |---|---|
/// | [`timeout`](Self::timeout) | 500 ms |
///
/// # Examples
/// ```no_run
/// use scupper::{Limiter, SqliteStore};
/// use std::time::Duration;
///
/// let store = SqliteStore::builder("/var/lib/app/limits.db").timeout(Duration::from_secs(5)).open()?;
/// // Longer than the store's, which is the one to know that nothing was taken.
/// let limiter = Limiter::builder().rates(["5/s".parse()?]).store(store).call_timeout(Duration::from_secs(6)).build()?;
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it opens"]
pub struct SqliteStoreBuilder {
    path: PathBuf,
    timeout: Duration,
    host: Arc<dyn Host>,
}

impl SqliteStore {
    /// How long a request waits for other processes, unless set: less than a limiter allows for a call, so that it is told that
    /// nothing was taken, and not that nobody knows.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(500);

    /// Opens this file, and makes it if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for a path that can be no store's: `:memory:`, a folder that
    /// does not exist, a folder in place of the file, a file that is empty, no database, another program's, linked to by several
    /// names, on a file system of the network, or not to be written by this user.
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if it is damaged or of another version of this library.
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the disk is full or cannot be read, or if another process
    /// keeps the file for as long as the timeout. [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) where the system is
    /// not Linux.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ErrorKind, SqliteStore};
    ///
    /// let error = SqliteStore::open("/nowhere/limits.db").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    /// assert!(error.to_string().contains("/nowhere does not exist"), "{error}");
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(path).open()
    }

    /// Sets up a store.
    pub fn builder(path: impl AsRef<Path>) -> SqliteStoreBuilder {
        SqliteStoreBuilder { path: path.as_ref().to_owned(), timeout: Self::DEFAULT_TIMEOUT, host: Arc::new(ThisHost) }
    }

    /// The store that a URL names.
    pub(crate) fn at_url(url: &str) -> Result<Self> {
        let address: Address = url.parse()?;
        let builder = Self::builder(address.path);
        match address.timeout {
            Some(timeout) => builder.timeout(timeout).open(),
            None => builder.open(),
        }
    }
}

impl SqliteStoreBuilder {
    /// How long a request waits while other processes have the file. Then it fails, and nothing was taken.
    ///
    /// Set the limiter's [`call_timeout`](crate::LimiterBuilder::call_timeout), which is a second, to more than this: when that has
    /// passed first, what is known is only that there was no answer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    #[cfg(test)]
    pub(super) fn host(mut self, host: Arc<dyn Host>) -> Self {
        self.host = host;
        self
    }

    /// Opens the file, and makes it if there is none.
    ///
    /// # Errors
    /// Those of [`SqliteStore::open`].
    pub fn open(self) -> Result<SqliteStore> {
        let shared = Shared::open(&self.path, self.host, self.timeout)?;
        Ok(SqliteStore::on(shared, self.timeout))
    }
}
