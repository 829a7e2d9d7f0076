//! One Postgres for all the tests of a process.

use std::env;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use postgres::Config;
use postgres::config::Host;

use crate::postgres::schemas::{new_schema, remove_old};
use crate::postgres::server::PostgresServer;
use crate::postgres::session::Session;

const OVERRIDE: &str = "SCUPPER_TEST_POSTGRES_URL";

/// Longer than the tests of a process take.
const OLD: Duration = Duration::from_hours(1);

/// A Postgres that the tests of a process share, when any Postgres will do: they keep to schemas of their own, and change no
/// setting and no role.
///
/// It is the one that `SCUPPER_TEST_POSTGRES_URL` names, where that is set: by an IP address, without TLS, and with a role that
/// may make schemas in its database. What tests make there stays, since some are killed; whoever comes an hour later or more
/// removes it. Else it is started when it is first asked for, and ends with the process.
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
            given.inspect(|given| remove_old(&given.session(), OLD)).unwrap_or_else(|| {
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
        at_port(&self.url, port)
    }

    /// A session of the same role in the same database.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::connect(&self.url).unwrap_or_else(|refusal| panic!("{}: {refusal}", self.url))
    }

    /// The name of a schema that no other test uses, in this process or another, now or later, and that is not there yet.
    #[must_use]
    pub fn schema(&self) -> String {
        new_schema()
    }
}

fn at_port(url: &str, port: u16) -> String {
    let path = url.find('?').unwrap_or(url.len());
    let (start, database) = url[..path].rsplit_once('/').expect("a URL has a slash");
    let credentials = start.rsplit_once('@').map_or("postgres:/", |(credentials, _)| credentials);
    let at = if credentials.ends_with(":/") { "/" } else { "@" };
    format!("{credentials}{at}127.0.0.1:{port}/{database}{}", &url[path..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_way_to_it_differs_at_another_port() {
        for (url, other) in [
            ("postgres://127.0.0.2/limits", "postgres://127.0.0.1:7/limits"),
            ("postgres://a:b@[::1]:5432/limits", "postgres://a:b@127.0.0.1:7/limits"),
            ("postgres://a@127.0.0.1:1/limits?options=-c/d@e", "postgres://a@127.0.0.1:7/limits?options=-c/d@e"),
        ] {
            assert_eq!(at_port(url, 7), other);
        }
    }
}
