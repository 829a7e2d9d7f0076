//! One Postgres for all the tests of a process.

use std::env;
use std::net::SocketAddr;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use postgres::Config;
use postgres::config::Host;

use crate::postgres::server::PostgresServer;
use crate::postgres::session::Session;

const OVERRIDE: &str = "SCUPPER_TEST_POSTGRES_URL";

/// A Postgres that the tests of a process share, when any Postgres will do: they keep to schemas of their own, and change no
/// setting and no role.
///
/// It is the one that `SCUPPER_TEST_POSTGRES_URL` names, where that is set, with a role that may make schemas in its database;
/// else it is started when it is first asked for, and ends with the process.
///
/// # Examples
///
/// ```
/// use scupper_testbed::SharedPostgres;
///
/// let postgres = SharedPostgres::get();
/// assert_eq!(postgres.url(), SharedPostgres::get().url());
/// assert_ne!(postgres.schema(), postgres.schema());
/// ```
#[derive(Debug)]
pub struct SharedPostgres {
    url: String,
    /// Not to be dropped, since statics are not: its keeper sees to its end.
    _server: Option<PostgresServer>,
}

impl SharedPostgres {
    /// The server, running.
    pub fn get() -> &'static Self {
        static SHARED: OnceLock<SharedPostgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            let given = env::var(OVERRIDE).ok().map(|url| Self { url, _server: None });
            given.unwrap_or_else(|| {
                // Many stores with a pool each.
                let server = PostgresServer::builder().line("max_connections = 400").start();
                Self { url: server.url(), _server: Some(server) }
            })
        })
    }

    /// Its URL, which names no schema.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address that it listens on.
    ///
    /// # Panics
    ///
    /// When the URL that was given names no IP address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let config: Config = self.url.parse().unwrap_or_else(|error| panic!("{OVERRIDE}: {error}"));
        let Some(Host::Tcp(host)) = config.get_hosts().first() else { panic!("{OVERRIDE} names no address") };
        let host = host.parse().unwrap_or_else(|_| panic!("{OVERRIDE} must name an IP address, and not {host}"));
        SocketAddr::new(host, config.get_ports().first().copied().unwrap_or(5432))
    }

    /// Its URL by way of another port of 127.0.0.1, as a proxy has it.
    ///
    /// # Panics
    ///
    /// When the URL that was given names no database.
    #[must_use]
    pub fn url_at(&self, port: u16) -> String {
        let (start, database) = self.url.rsplit_once('/').expect("a URL has a slash");
        let credentials = start.rsplit_once('@').map_or("postgres:/", |(credentials, _)| credentials);
        let at = if credentials.ends_with(":/") { "/" } else { "@" };
        format!("{credentials}{at}127.0.0.1:{port}/{database}")
    }

    /// A session of the same role in the same database.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::connect(&self.url).unwrap_or_else(|refusal| panic!("{}: {refusal}", self.url))
    }

    /// The name of a schema that no other test uses, in this process or another, now or later, and that is not there yet.
    #[must_use]
    pub fn schema(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros());
        format!("test_{}_{now}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }
}
