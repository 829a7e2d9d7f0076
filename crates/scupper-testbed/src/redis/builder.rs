//! What kind of Redis to start.

use std::fmt::Write as _;

use crate::redis::server::RedisServer;

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
#[derive(Clone, Debug, Default)]
#[must_use = "a builder starts nothing until it is told to"]
pub struct RedisServerBuilder {
    pub(super) port: Option<u16>,
    pub(super) password: Option<String>,
    lines: Vec<String>,
}

impl RedisServerBuilder {
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

    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it does not answer within 15 seconds, with what it last wrote to its log.
    #[must_use = "a server lives as long as its value"]
    pub fn start(self) -> RedisServer {
        RedisServer::from_builder(&self)
    }

    /// The text of `redis.conf`; where a line is said twice, the last counts.
    pub(super) fn text(&self, port: u16) -> String {
        let mut text = format!(
            "bind 127.0.0.1\n\
             port {port}\n\
             daemonize no\n\
             save \"\"\n\
             appendonly no\n"
        );
        // Writing to a string cannot fail.
        if let Some(password) = &self.password {
            let _ = writeln!(text, "requirepass {password}");
        }
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}
