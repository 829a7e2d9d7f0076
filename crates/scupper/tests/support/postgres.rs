//! A store in Postgres with a fault in its way, and what is seen of its buckets past the fault.

use scupper::{Limiter, PostgresStore, PostgresStoreBuilder, Result};
use scupper_testbed::{PostgresServer, Proxy, Rows, Session, SharedPostgres, new_schema};

use crate::support::SECOND;
pub(crate) use crate::support::remote::{
    AT_ONCE, PATIENCE, RemoteBed, admits, by_default, limiting, list_all, patient, quota, recovers, refused, submit,
    through_outages, used,
};

/// With none of the limits of time that a test on a busy machine might come to.
pub(crate) fn without_hurry(builder: PostgresStoreBuilder) -> PostgresStoreBuilder {
    builder.connect_within(PATIENCE).answer_within(2 * PATIENCE).lock_within(PATIENCE).wait_to_be_sent(PATIENCE)
}

/// A store on the server that all tests share, in a schema of its own.
pub(crate) fn builder() -> PostgresStoreBuilder {
    let shared = SharedPostgres::get();
    without_hurry(PostgresStore::builder(shared.url()).schema(shared.schema()))
}

/// A URL for this schema, whose sessions are known by its name.
pub(crate) fn with_schema(url: &str, schema: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}schema={schema}&application_name={schema}")
}

/// A schema of the test's own, and a proxy before its server.
pub(crate) struct Bed {
    pub(crate) proxy: Proxy,
    pub(crate) schema: String,
    url: String,
    session: Session,
    direct: PostgresStore,
}

impl Bed {
    /// Before the server that all tests share.
    pub(crate) fn new() -> Self {
        let shared = SharedPostgres::get();
        let proxy = Proxy::to(shared.address());
        let url = shared.url_at(proxy.port());
        Self::of(proxy, &url, shared.url(), shared.session())
    }

    /// Before a server of the test's own.
    pub(crate) fn before(server: &PostgresServer) -> Self {
        let proxy = Proxy::to(server.address());
        let url = PostgresServer::url_at(proxy.port());
        Self::of(proxy, &url, &server.url(), server.session().unwrap())
    }

    fn of(proxy: Proxy, url: &str, direct: &str, session: Session) -> Self {
        let schema = new_schema();
        let direct = without_hurry(PostgresStore::builder(direct)).schema(&schema);
        let direct = direct.connect_blocking().unwrap();
        let url = with_schema(url, &schema);
        Self { proxy, schema, url, session, direct }
    }

    /// Of the schema, through the proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many connections the server has to those who came through the proxy.
    pub(crate) fn sessions(&self) -> i64 {
        self.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{s}'").number()
    }

    /// Of a store that reaches the server through the proxy, by one connection at a time.
    pub(crate) fn builder(&self) -> PostgresStoreBuilder {
        self.wide_builder().pool(1)
    }

    /// The same with as many connections as it has by default. Making one may take long on a busy machine.
    pub(crate) fn wide_builder(&self) -> PostgresStoreBuilder {
        PostgresStore::builder(&self.url).connect_within(PATIENCE)
    }

    pub(crate) fn store(&self) -> PostgresStore {
        without_hurry(self.builder()).open().unwrap()
    }

    /// One that waits for its answers, however busy the machine is.
    pub(crate) fn limiter(&self, rates: &str) -> Limiter {
        patient(rates, &self.store())
    }

    /// A store that no fault meets.
    pub(crate) fn direct(&self) -> &PostgresStore {
        &self.direct
    }

    /// Units in use under the first of these rates, as the server has it once a transaction that was left behind is at its end: a
    /// look would not wait for it.
    #[track_caller]
    pub(crate) fn used(&self, key: &str, rates: &str) -> u64 {
        let hex = key.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        self.ask(&format!(
            "SELECT pg_advisory_xact_lock({{s}}.lock_of(encode(substr(sha256('\\x{hex}'), 1, 16), 'hex')::uuid))"
        ));
        used(&self.direct, key, rates)
    }

    /// Asks past the fault; `{s}` stands for the schema.
    #[track_caller]
    pub(crate) fn ask(&self, sql: &str) -> Rows {
        self.session.ask(&self.within(sql))
    }

    /// The session past the fault.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn within(&self, sql: &str) -> String {
        sql.replace("{s}", &self.schema)
    }

    /// How many rows there are for this key.
    #[track_caller]
    pub(crate) fn rows(&self, key: &str) -> i64 {
        self.ask(&format!("SELECT count(*) FROM {{s}}.bucket WHERE key = '{key}'")).number()
    }
}

impl RemoteBed for Bed {
    type Store = PostgresStore;

    const OPENING: &'static [&'static str] = &["client_encoding", "search_path"];

    /// One to go on with, and one to call off what was given up.
    const FOR_ONE_GIVEN_UP: u64 = 2;

    fn make() -> Self {
        Self::new()
    }

    fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    fn url(&self) -> String {
        self.url.clone()
    }

    fn connect(url: &str) -> impl Future<Output = Result<PostgresStore>> + Send {
        PostgresStore::connect(url)
    }

    fn connect_blocking(url: &str) -> Result<PostgresStore> {
        PostgresStore::connect_blocking(url)
    }

    fn one_by_one(&self) -> PostgresStore {
        self.store()
    }

    fn by_default(&self) -> PostgresStore {
        self.builder().open().unwrap()
    }

    fn impatient(&self) -> PostgresStore {
        self.builder().answer_within(SECOND).wait_to_be_sent(PATIENCE).open().unwrap()
    }

    fn direct(&self) -> &PostgresStore {
        Self::direct(self)
    }

    fn has(&self, key: &str) -> bool {
        self.rows(key) == 1
    }

    fn sessions(&self) -> i64 {
        Self::sessions(self)
    }
}
