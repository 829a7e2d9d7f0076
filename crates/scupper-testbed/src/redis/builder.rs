//! What kind of Redis to start.

use crate::certificates::Certificates;
use crate::port::free_port;
use crate::program::Program;
use crate::redis::server::{Failure, RedisServer};
use crate::redis::tls::Tls;

/// How often another port is tried when a process of somebody else has taken it first.
const ATTEMPTS: usize = 5;

/// How a server is to be, beside the defaults of Redis. It keeps nothing on disk unless a line says so.
///
/// # Examples
///
/// ```
/// use scupper_testbed::RedisServer;
///
/// let server = RedisServer::builder().line("maxmemory 3mb").line("maxmemory-policy allkeys-lru").start();
/// assert_eq!(server.command(&["CONFIG", "GET", "maxmemory"]).array()[1].text(), "3145728");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder starts nothing until it is told to"]
pub struct RedisServerBuilder {
    program: Program,
    port: Option<u16>,
    password: Option<String>,
    tls: Option<Certificates>,
    lines: Vec<String>,
}

impl RedisServer {
    /// A server with the defaults of Redis, keeping nothing on disk, on any free port.
    #[must_use = "a server lives as long as its value"]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server that is to be other than the defaults.
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::of(Program::RedisServer).line("save \"\"").line("appendonly no")
    }
}

impl RedisServerBuilder {
    pub(super) fn of(program: Program) -> Self {
        Self { program, port: None, password: None, tls: None, lines: Vec::new() }
    }

    /// Adds a line of `redis.conf`, such as `maxmemory 3mb` or `user reader on >secret ~* +get`.
    ///
    /// The user `default` must stay able to `PING` and to ask for `INFO`.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Makes the user `default` need this password; the server's own commands and its URL bring it.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Listens on this port of 127.0.0.1, instead of on any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Listens for TLS too, on a port of its own, and asks no client for a certificate.
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some(certificates.clone());
        self.line("tls-auth-clients no")
    }

    /// Listens for TLS too, on a port of its own, and takes only clients that show a certificate.
    pub fn tls_for_known_clients(self, certificates: &Certificates) -> Self {
        self.tls(certificates).line("tls-auth-clients yes")
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it does not answer within a minute, with what it last wrote to its log.
    #[must_use = "a server lives as long as its value"]
    pub fn start(self) -> RedisServer {
        let attempts = if self.port.is_some() { 1 } else { ATTEMPTS };
        let mut why = String::new();
        for _ in 0..attempts {
            let port = self.port.unwrap_or_else(free_port);
            let tls = self.tls.clone().map(|certificates| Tls { port: free_port(), certificates });
            let server = RedisServer::prepare(self.program, port, &self.text(port, tls.as_ref()));
            let server = server.with(self.password.clone(), tls);
            match server.serve() {
                Ok(()) => return server,
                Err(Failure::PortTaken(message)) => why = message,
                Err(Failure::Other(message)) => panic!("{message}"),
            }
        }
        panic!("{why}");
    }

    /// The text of `redis.conf`; where a line is said twice, the last counts.
    fn text(&self, port: u16, tls: Option<&Tls>) -> String {
        let mut lines = vec!["bind 127.0.0.1".to_owned(), format!("port {port}"), "daemonize no".to_owned()];
        lines.extend(self.password.iter().map(|password| format!("requirepass {password}")));
        lines.extend(tls.iter().flat_map(|tls| tls.lines()));
        lines.extend_from_slice(&self.lines);
        lines.join("\n") + "\n"
    }
}
