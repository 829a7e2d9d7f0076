//! What kind of Postgres to start.

use crate::certificates::Certificates;
use crate::port::free_port;
use crate::postgres::server::{Failure, PostgresServer};

/// How often another port is tried when a process of somebody else has taken it first.
const ATTEMPTS: usize = 5;

/// How a server is to be, beside the defaults of Postgres. It does not wait for the disk unless a line says so: what has been
/// committed outlives each of its processes, and not the machine.
///
/// # Examples
///
/// ```
/// use scupper_testbed::PostgresServer;
///
/// let server = PostgresServer::builder().line("max_connections = 7").start();
/// assert_eq!(server.ask("SHOW max_connections").number(), 7);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder starts nothing until it is told to"]
pub struct PostgresServerBuilder {
    port: Option<u16>,
    tls: Option<Certificates>,
    lines: Vec<String>,
    allowed: Vec<String>,
}

impl PostgresServer {
    /// A server with the defaults of Postgres, on any free port.
    #[must_use = "a server lives as long as its value"]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server that is to be other than the defaults.
    pub fn builder() -> PostgresServerBuilder {
        PostgresServerBuilder { port: None, tls: None, lines: Vec::new(), allowed: Vec::new() }.line("fsync = off")
    }
}

impl PostgresServerBuilder {
    /// Adds a line of `postgresql.conf`, such as `max_connections = 7`; where a setting is set twice, the last counts.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Adds a line of `pg_hba.conf`, such as `host all scupper 127.0.0.1/32 scram-sha-256`. Without any, each role may connect
    /// without a password; with some, only those that they allow, and the superuser `postgres`.
    pub fn allow(mut self, line: &str) -> Self {
        self.allowed.push(line.to_owned());
        self
    }

    /// Listens on this port of 127.0.0.1, instead of on any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Speaks TLS with whoever wants it, with the server's certificate, and trusts clients that show one of its authority where
    /// a line of [`allow`](Self::allow) asks for that, as `hostssl all scupper 127.0.0.1/32 trust clientcert=verify-ca`
    /// does.
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some(certificates.clone());
        let files = ["ssl_ca_file = 'authority.pem'", "ssl_cert_file = 'server.pem'", "ssl_key_file = 'server.key'"];
        files.into_iter().fold(self.line("ssl = on"), Self::line)
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it does not answer within a minute, with what it last wrote to its log.
    #[must_use = "a server lives as long as its value"]
    pub fn start(self) -> PostgresServer {
        let attempts = if self.port.is_some() { 1 } else { ATTEMPTS };
        let mut why = String::new();
        for _ in 0..attempts {
            let port = self.port.unwrap_or_else(free_port);
            let server = PostgresServer::prepare(port, |files| {
                files.configure(&self.text(port));
                files.allow(&self.allowances());
                self.tls.iter().for_each(|certificates| files.certify(certificates));
            });
            match server.serve() {
                Ok(()) => return server,
                Err(Failure::PortTaken(message)) => why = message,
                Err(Failure::Other(message)) => panic!("{message}"),
            }
        }
        panic!("{why}");
    }

    fn text(&self, port: u16) -> Vec<String> {
        let fixed = [
            "listen_addresses = '127.0.0.1'".to_owned(),
            format!("port = {port}"),
            "unix_socket_directories = ''".to_owned(),
            // In the folder, which is removed however the server ends.
            "dynamic_shared_memory_type = mmap".to_owned(),
        ];
        fixed.into_iter().chain(self.lines.iter().cloned()).collect()
    }

    fn allowances(&self) -> Vec<String> {
        let mut lines = vec!["host all postgres 127.0.0.1/32 trust".to_owned()];
        lines.extend_from_slice(&self.allowed);
        if self.allowed.is_empty() {
            lines.push("host all all 127.0.0.1/32 trust".to_owned());
        }
        lines
    }
}
