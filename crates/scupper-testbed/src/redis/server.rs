//! One Redis.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::process::Signal;

use crate::patience::{PATIENCE, look_for};
use crate::process::Process;
use crate::program::Program;
use crate::redis::client::Client;
use crate::redis::reply::Reply;
use crate::redis::tls::Tls;

const CONFIGURATION: &str = "redis.conf";

/// A Redis of one's own on 127.0.0.1. Dropping it kills it and removes its folder.
///
/// # Examples
///
/// ```
/// use scupper_testbed::{RedisServer, Reply};
///
/// let server = RedisServer::start();
/// server.command(&["SET", "key", "value"]);
/// // It keeps nothing on disk, so this is how to lose all of it.
/// server.restart();
/// assert_eq!(server.command(&["GET", "key"]), Reply::Nil);
/// ```
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    port: u16,
    password: Option<String>,
    tls: Option<Tls>,
}

/// Why it does not serve.
pub(super) enum Failure {
    PortTaken(String),
    Other(String),
}

impl RedisServer {
    /// A server that does not run yet, with that text as its configuration.
    pub(super) fn prepare(program: Program, port: u16, configuration: &str) -> Self {
        let process = Process::new(program).arg(CONFIGURATION);
        fs::write(process.folder().join(CONFIGURATION), configuration).expect("the folder is our own");
        Self { process, port, password: None, tls: None }
    }

    pub(super) fn with(self, password: Option<String>, tls: Option<Tls>) -> Self {
        Self { password, tls, ..self }
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its URL, such as `redis://127.0.0.1:10000`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}127.0.0.1:{}", self.user(), self.port)
    }

    /// Its URL for TLS, such as `rediss://127.0.0.1:10001`.
    ///
    /// # Panics
    ///
    /// When it was started without certificates.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("rediss://{}127.0.0.1:{}", self.user(), self.tls_port())
    }

    /// The port that it listens on for TLS.
    ///
    /// # Panics
    ///
    /// When it was started without certificates.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls.as_ref().expect("the server must have been started with certificates").port
    }

    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The port that others of its kind know it by, and clients like them.
    pub(super) fn peer_port(&self) -> u16 {
        self.tls.as_ref().map_or(self.port, |tls| tls.port)
    }

    /// What a URL has before the host.
    pub(super) fn user(&self) -> String {
        self.password.as_ref().map_or_else(String::new, |password| format!(":{password}@"))
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Sends a command on a connection of its own, and returns the answer; a refusal is an answer too.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    pub fn command<W: AsRef<[u8]>>(&self, words: &[W]) -> Reply {
        self.try_command(words).unwrap_or_else(|error| panic!("Redis at port {} does not answer: {error}", self.port))
    }

    /// As [`command`](Self::command), for when the server may be on its way up or down, or close the connection.
    pub(super) fn try_command<W: AsRef<[u8]>>(&self, words: &[W]) -> io::Result<Reply> {
        self.client()?.command(words)
    }

    /// A connection to it, with the password given.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn client(&self) -> io::Result<Client> {
        let mut client = Client::connect(self.port)?;
        if let Some(password) = &self.password {
            client.command(&["AUTH", password])?;
        }
        Ok(client)
    }

    /// Makes it forget every script that was loaded.
    pub fn flush_scripts(&self) {
        let _ = self.command(&["SCRIPT", "FLUSH"]).granted();
    }

    /// Ends it at once, as a failing machine would; its connections break, and its port refuses new ones.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again on the same port and in the same folder, after killing it where it still runs.
    ///
    /// # Panics
    ///
    /// When it does not answer within a minute, with what it last wrote to its log.
    pub fn restart(&self) {
        if let Err(Failure::PortTaken(message) | Failure::Other(message)) = self.serve() {
            panic!("{message}");
        }
    }

    /// Stops it from running, without closing a connection: who asks waits.
    pub fn stall(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Ends a stall; what was asked meanwhile is answered.
    pub fn go_on(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Whether it runs, stalled or not.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.ended().is_none() && self.process.id().is_some()
    }

    /// Starts it, after killing the one that runs, and waits until it answers.
    pub(super) fn serve(&self) -> Result<(), Failure> {
        self.process.start();
        let Some(id) = self.process.id() else {
            return Err(self.failure("was killed before it answered"));
        };
        let outcome = look_for(PATIENCE, || {
            if let Some(status) = self.process.ended() {
                return Some(Err(self.failure(&format!("ended ({status})"))));
            }
            self.answers_as(id).then_some(Ok(()))
        });
        outcome.unwrap_or_else(|| Err(self.failure("does not answer")))
    }

    /// Whether it serves; another server that has taken its port does not count.
    fn answers_as(&self, id: u32) -> bool {
        let ask = |words: &[&str]| self.try_command(words).map(|reply| reply.text());
        let own_line = format!("process_id:{id}");
        ask(&["INFO", "server"]).is_ok_and(|info| info.lines().any(|line| line == own_line))
            && ask(&["PING"]).is_ok_and(|answer| answer == "PONG")
    }

    fn failure(&self, what: &str) -> Failure {
        let log = self.process.log_tail();
        let message = format!("Redis at port {} {what}. The end of its log:\n{log}", self.port);
        if log.contains("Address already in use") { Failure::PortTaken(message) } else { Failure::Other(message) }
    }
}
