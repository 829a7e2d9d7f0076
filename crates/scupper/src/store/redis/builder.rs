use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::redis::settings::Settings;
use crate::store::redis::store::RedisStore;
use crate::store::redis::url::Address;
use crate::timer::block_on;

/// Sets up a [`RedisStore`].
///
/// | setting | unless set |
/// |---|---|
/// | [`prefix`](Self::prefix) | that of the URL, or else `scupper:` |
/// | [`connect_within`](Self::connect_within) | 750 ms |
/// | [`answer_within`](Self::answer_within) | 5 s |
/// | [`wait_to_be_sent`](Self::wait_to_be_sent) | 500 ms |
/// | [`calls_at_once`](Self::calls_at_once) | 2 |
/// | [`operations_a_call`](Self::operations_a_call) | 512 |
///
/// At most 65,536 requests wait to be sent to a server; one more is an error of kind
/// [`Capacity`](ErrorKind::Capacity), under every [policy for outages](crate::OutagePolicy).
///
/// # Examples
/// ```
/// use scupper::RedisStore;
/// use std::time::Duration;
///
/// let store = RedisStore::builder("redis://127.0.0.1").prefix("app:limits:").connect_within(Duration::from_secs(2)).open()?;
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it opens"]
pub struct RedisStoreBuilder {
    url: String,
    prefix: Option<String>,
    settings: Settings,
}

impl RedisStore {
    /// The store that this URL names. Nothing is sent before the first request; servers that are away then are an error of
    /// that request.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a URL that is wrong, and says in which part, or a file for TLS that cannot be read. No
    /// message shows a password.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ErrorKind, RedisStore};
    ///
    /// let error = RedisStore::open("redis://localhost:port").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    /// assert!(error.to_string().contains("the port"), "{error}");
    /// ```
    pub fn open(url: &str) -> Result<Self> {
        Self::builder(url).open()
    }

    /// The store that this URL names, once it has been seen that its servers can be reached, let one in, and let this
    /// user run the script and look at keys with the prefix.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`ErrorKind::InvalidConfig`] for a user, a password, a certificate or a database that the
    /// server refuses; [`ErrorKind::Unavailable`] if it cannot be reached.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn connect() -> scupper::Result<()> {
    /// let store = scupper::RedisStore::connect("redis+cluster://10.0.0.1,10.0.0.2").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder(url).connect().await
    }

    /// As [`connect`](Self::connect), blocking the calling thread, be it within a runtime or not.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    ///
    /// # Examples
    /// ```no_run
    /// let store = scupper::RedisStore::connect_blocking("rediss://app:secret@10.0.0.1?ca=/etc/ssl/redis.pem")?;
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn connect_blocking(url: &str) -> Result<Self> {
        block_on(Self::connect(url), |_| false)
    }

    /// Sets up a store.
    pub fn builder(url: &str) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url)
    }
}

impl RedisStoreBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), prefix: None, settings: Settings::default() }
    }

    /// What every key in the server begins with, in place of what the URL says. It may be empty.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// How long making a connection may take, with sentinels, TLS, passwords and all; for a cluster, also how long its nodes may
    /// take together to tell which of them has what. Requests that come meanwhile wait for it.
    pub fn connect_within(mut self, limit: Duration) -> Self {
        self.settings.connect_within = limit;
        self
    }

    /// After this time without an answer, a connection is given up and made anew. Until then, an answer that comes later than
    /// the limiter waits for it is still seen to: what it admitted is given back.
    pub fn answer_within(mut self, limit: Duration) -> Self {
        self.settings.answer_within = limit;
        self
    }

    /// A request that cannot be sent for so long, as earlier calls are not answered, fails without having been sent.
    pub fn wait_to_be_sent(mut self, limit: Duration) -> Self {
        self.settings.bounds.patience = limit;
        self
    }

    /// So many calls are under way at once on a connection, at least 1; what comes meanwhile goes out together.
    pub fn calls_at_once(mut self, calls: usize) -> Self {
        self.settings.bounds.calls = calls;
        self
    }

    /// So many operations go into a call, 1 to [`MOST_OPERATIONS`](Self::MOST_OPERATIONS); with 1, each request is sent for itself.
    pub fn operations_a_call(mut self, operations: usize) -> Self {
        self.settings.bounds.operations = operations;
        self
    }

    /// The most operations in a call: the server does nothing else meanwhile.
    pub const MOST_OPERATIONS: usize = 4096;

    /// Opens the store, without a word to its servers yet.
    ///
    /// # Errors
    /// Those of [`RedisStore::open`], and [`ErrorKind::InvalidConfig`] for a setting out of its range.
    pub fn open(self) -> Result<RedisStore> {
        let mut address: Address = self.url.parse()?;
        if let Some(prefix) = self.prefix {
            address.prefix = prefix;
        }
        let bounds = self.settings.bounds;
        if bounds.calls == 0 || !(1..=Self::MOST_OPERATIONS).contains(&bounds.operations) {
            let wrong = format!(
                "a store in Redis needs at least 1 call at once, and 1 to {} operations a call; it was given {} and {}",
                Self::MOST_OPERATIONS,
                bounds.calls,
                bounds.operations
            );
            return Err(Error::new(ErrorKind::InvalidConfig, wrong));
        }
        RedisStore::at(address, self.settings)
    }

    /// As [`connect`](Self::connect), blocking the calling thread.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    pub fn connect_blocking(self) -> Result<RedisStore> {
        block_on(self.connect(), |_| false)
    }

    /// Opens the store, once its servers have been reached.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`RedisStore::connect`].
    pub async fn connect(self) -> Result<RedisStore> {
        let store = self.open()?;
        store.check().await?;
        Ok(store)
    }
}

impl std::fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the URL, which has a password in it.
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
