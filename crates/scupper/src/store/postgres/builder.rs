use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::postgres::entry::Entry;
use crate::store::postgres::schema::Schema;
use crate::store::postgres::settings::{Durability, Settings};
use crate::store::postgres::statement::Texts;
use crate::store::postgres::store::PostgresStore;
use crate::store::postgres::tls::Connector;
use crate::store::postgres::url::Address;
use crate::sync::Arc;
use crate::timer::block_on;

/// Sets up a [`PostgresStore`].
///
/// | setting | unless set |
/// |---|---|
/// | [`schema`](Self::schema) | that of the URL, or else `scupper` |
/// | [`durability`](Self::durability) | that of the URL, or else [`Durability::Strict`] |
/// | [`pool`](Self::pool) | that of the URL, or else 8 |
/// | [`connect_within`](Self::connect_within) | that of the URL, or else 750 ms |
/// | [`lock_within`](Self::lock_within) | 500 ms |
/// | [`answer_within`](Self::answer_within) | 5 s |
/// | [`wait_to_be_sent`](Self::wait_to_be_sent) | 500 ms |
/// | [`operations_a_call`](Self::operations_a_call) | 512 |
///
/// Times are from [`SHORTEST`](Self::SHORTEST), a millisecond, to [`LONGEST`](Self::LONGEST), an hour.
///
/// At most 65,536 requests wait to be sent to the server; one more is an error of kind
/// [`Capacity`](ErrorKind::Capacity), under every [policy for outages](crate::OutagePolicy).
///
/// # Examples
/// ```
/// use scupper::{Durability, PostgresStore};
///
/// let store = PostgresStore::builder("postgres://localhost/app").schema("limits").durability(Durability::Relaxed).open()?;
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it opens"]
pub struct PostgresStoreBuilder {
    url: String,
    schema: Option<String>,
    durability: Option<Durability>,
    pool: Option<usize>,
    connect_within: Option<Duration>,
    settings: Settings,
}

impl PostgresStore {
    /// The store that this URL names. Nothing is sent before the first request; a server that is away then is an error of
    /// that request.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a URL that is wrong, and says in which part, or a file for TLS that cannot be read. No
    /// message shows a password.
    ///
    /// # Examples
    /// ```
    /// use scupper::{ErrorKind, PostgresStore};
    ///
    /// let error = PostgresStore::open("postgres://localhost:port/app").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    /// assert!(error.to_string().contains("the port"), "{error}");
    /// ```
    pub fn open(url: &str) -> Result<Self> {
        Self::builder(url).open()
    }

    /// The store that this URL names, once it has been seen that its server can be reached, lets one in, and has the schema, which
    /// is made if it is not there.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`ErrorKind::InvalidConfig`] for a user, a password, a certificate or a database that the
    /// server refuses, a schema of another version, or one that is not there and that the role may not make;
    /// [`ErrorKind::Unavailable`] if the server cannot be reached.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn connect() -> scupper::Result<()> {
    /// let store = scupper::PostgresStore::connect("postgres://app:secret@10.0.0.1/app?schema=limits").await?;
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
    /// let url = "postgres://app:secret@10.0.0.1/app?sslmode=verify-full&sslrootcert=/etc/ssl/postgres.pem";
    /// let store = scupper::PostgresStore::connect_blocking(url)?;
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn connect_blocking(url: &str) -> Result<Self> {
        block_on(Self::connect(url), |_| false)
    }

    /// Sets up a store.
    pub fn builder(url: &str) -> PostgresStoreBuilder {
        PostgresStoreBuilder::new(url)
    }
}

impl PostgresStoreBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            schema: None,
            durability: None,
            pool: None,
            connect_within: None,
            settings: Settings::default(),
        }
    }

    /// The schema that the tables and functions are in, in place of what the URL says: 1 to 63 bytes, any but `$` and control
    /// characters.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// What a decision waits for before it is answered, in place of what the URL says.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// So many connections at the most, 1 to [`MOST_CONNECTIONS`](Self::MOST_CONNECTIONS), in place of what the URL says. That many
    /// calls are under way at once, and what comes meanwhile goes out together; connections are made as they are needed.
    pub fn pool(mut self, connections: usize) -> Self {
        self.pool = Some(connections);
        self
    }

    /// The most connections of a store; a server has 100 in all unless it is told otherwise.
    pub const MOST_CONNECTIONS: usize = 1024;

    /// No time limit is shorter than a millisecond: servers count in milliseconds.
    pub const SHORTEST: Duration = Duration::from_millis(1);

    /// No time limit is longer than an hour.
    pub const LONGEST: Duration = Duration::from_hours(1);

    /// How long making a connection may take, with TLS, passwords and all. Requests that come meanwhile wait for it.
    pub fn connect_within(mut self, limit: Duration) -> Self {
        self.connect_within = Some(limit);
        self
    }

    /// How long the server waits for a bucket that another transaction has. Then the request fails, and nothing was taken. With four
    /// fifths of [`answer_within`](Self::answer_within) or more, it is the call that is ended, with all requests in it.
    pub fn lock_within(mut self, limit: Duration) -> Self {
        self.settings.lock_within = limit;
        self
    }

    /// After this time without an answer, a connection is given up; the server ends what it does for it by itself after four fifths
    /// of that. Until then, an answer that comes later than the limiter waits for it is still seen to: what it admitted is given
    /// back.
    pub fn answer_within(mut self, limit: Duration) -> Self {
        self.settings.answer_within = limit;
        self
    }

    /// A request that cannot be sent for so long, as earlier calls are not answered, fails without having been sent.
    pub fn wait_to_be_sent(mut self, limit: Duration) -> Self {
        self.settings.patience = limit;
        self
    }

    /// So many operations go into a call, 1 to [`MOST_OPERATIONS`](Self::MOST_OPERATIONS); with 1, each request is sent for itself.
    pub fn operations_a_call(mut self, operations: usize) -> Self {
        self.settings.operations = operations;
        self
    }

    /// The most operations in a call: others wait for the buckets meanwhile.
    pub const MOST_OPERATIONS: usize = 4096;

    /// Opens the store, without a word to its server yet.
    ///
    /// # Errors
    /// Those of [`PostgresStore::open`], and [`ErrorKind::InvalidConfig`] for a setting out of its range.
    pub fn open(self) -> Result<PostgresStore> {
        let address: Address = self.url.parse()?;
        let schema = self.schema.or(address.schema);
        let schema = Schema::new(schema.as_deref().unwrap_or(Schema::DEFAULT))?;
        let mut settings = self.settings;
        settings.durability = self.durability.or(address.durability).unwrap_or(settings.durability);
        settings.pool = self.pool.or(address.pool).unwrap_or(settings.pool);
        settings.connect_within = self.connect_within.or(address.connect_within).unwrap_or(settings.connect_within);
        check(&settings)?;
        let connector = Connector::new(&address.tls)?;
        let texts = Arc::new(Texts::of(&schema));
        Ok(PostgresStore::at(Entry {
            config: address.config,
            connector,
            place: address.place,
            schema,
            texts,
            settings,
        }))
    }

    /// As [`connect`](Self::connect), blocking the calling thread.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    pub fn connect_blocking(self) -> Result<PostgresStore> {
        block_on(self.connect(), |_| false)
    }

    /// Opens the store, once its server has been reached.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`PostgresStore::connect`].
    pub async fn connect(self) -> Result<PostgresStore> {
        let store = self.open()?;
        store.check().await?;
        Ok(store)
    }
}

fn check(settings: &Settings) -> Result<()> {
    let limits = [
        ("connect_within", settings.connect_within),
        ("lock_within", settings.lock_within),
        ("answer_within", settings.answer_within),
        ("wait_to_be_sent", settings.patience),
    ];
    let times = PostgresStoreBuilder::SHORTEST..=PostgresStoreBuilder::LONGEST;
    if let Some((name, limit)) = limits.into_iter().find(|(_, limit)| !times.contains(limit)) {
        let wrong = format!("{name} is {limit:?}; it must be from {:?} to {:?}", times.start(), times.end());
        return Err(Error::new(ErrorKind::InvalidConfig, wrong));
    }
    let counts = [
        ("pool", "connections", settings.pool, PostgresStoreBuilder::MOST_CONNECTIONS),
        ("operations_a_call", "operations", settings.operations, PostgresStoreBuilder::MOST_OPERATIONS),
    ];
    if let Some((name, what, count, most)) = counts.into_iter().find(|(.., count, most)| !(1..=*most).contains(count)) {
        let wrong = format!("{name} is {count} {what}; it must be from 1 to {most}");
        return Err(Error::new(ErrorKind::InvalidConfig, wrong));
    }
    Ok(())
}

impl std::fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the URL, which has a password in it.
        f.debug_struct("PostgresStoreBuilder")
            .field("schema", &self.schema)
            .field("durability", &self.durability)
            .field("pool", &self.pool)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_cannot_be_are_refused() {
        let builder = || PostgresStore::builder("postgres://localhost/app");
        let (none, endless) = (Duration::ZERO, Duration::MAX);
        for (builder, names) in [
            (builder().connect_within(none), "connect_within"),
            (builder().answer_within(endless), "answer_within"),
            (builder().wait_to_be_sent(endless), "wait_to_be_sent"),
            (builder().lock_within(endless), "lock_within"),
        ] {
            let error = builder.open().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(names), "{error}");
        }
    }

    #[test]
    fn counts_that_cannot_be_are_refused_one_by_one() {
        let builder = || PostgresStore::builder("postgres://localhost/app");
        for (builder, says) in [
            (builder().pool(0), "pool is 0 connections; it must be from 1 to 1024"),
            (builder().operations_a_call(4097), "operations_a_call is 4097 operations; it must be from 1 to 4096"),
            (PostgresStore::builder("postgres://localhost/app?pool=0"), "pool is 0 connections"),
        ] {
            let error = builder.open().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().starts_with(says), "{error}");
        }
    }
}
