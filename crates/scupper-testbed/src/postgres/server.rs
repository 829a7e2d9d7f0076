//! One Postgres.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::process::Signal;

use crate::patience::{PATIENCE, await_that, look_for};
use crate::postgres::files::Files;
use crate::postgres::refusal::Refusal;
use crate::postgres::rows::Rows;
use crate::postgres::session::Session;
use crate::process::Process;
use crate::program::Program;

/// A Postgres of one's own on 127.0.0.1, with a database `scupper` that is the role `scupper`'s, and a superuser `postgres`.
/// Dropping it kills it and removes its folder.
///
/// # Examples
///
/// ```
/// use scupper_testbed::PostgresServer;
///
/// let server = PostgresServer::start();
/// server.ask("CREATE TABLE visit (number int); INSERT INTO visit VALUES (1)");
/// // As if the power of the machine had failed; what was committed is there again.
/// server.restart();
/// assert_eq!(server.ask("SELECT number FROM visit").number(), 1);
/// ```
#[derive(Debug)]
pub struct PostgresServer {
    process: Process,
    port: u16,
}

/// Why it does not serve.
pub(super) enum Failure {
    PortTaken(String),
    Other(String),
}

impl PostgresServer {
    /// A server that does not run yet, with files that are yet to be set up.
    pub(super) fn prepare(port: u16, set_up: impl FnOnce(&Files)) -> Self {
        let process = Process::new(Program::Postgres).account(Files::account()).arg("-D").arg("data");
        set_up(&Files::make_in(process.folder()));
        Self { process, port }
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

    /// Its URL for the role `scupper`, such as `postgres://scupper@127.0.0.1:10000/scupper`.
    #[must_use]
    pub fn url(&self) -> String {
        Self::url_at(self.port)
    }

    /// The same for another port of 127.0.0.1, as a proxy has it.
    #[must_use]
    pub fn url_at(port: u16) -> String {
        format!("postgres://scupper@127.0.0.1:{port}/scupper")
    }

    /// Its URL for another role, or for a role and its password, such as `reader:secret`.
    #[must_use]
    pub fn url_as(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/scupper", self.port)
    }

    /// A session of the superuser in the database `scupper`.
    ///
    /// # Errors
    ///
    /// When it does not run, or takes no more connections.
    pub fn session(&self) -> Result<Session, Refusal> {
        Session::connect(&self.url_as("postgres"))
    }

    /// Asks as the superuser in a session of its own, and returns the answer.
    ///
    /// # Panics
    ///
    /// When it refuses, or no answer comes.
    #[track_caller]
    pub fn ask(&self, sql: &str) -> Rows {
        let rows = self.try_ask(sql);
        rows.unwrap_or_else(|refusal| panic!("Postgres at port {}: {sql}: {refusal}", self.port))
    }

    /// As [`ask`](Self::ask), for when it may refuse, or be on its way up or down.
    ///
    /// # Errors
    ///
    /// When it refuses, or does not answer.
    pub fn try_ask(&self, sql: &str) -> Result<Rows, Refusal> {
        self.session()?.try_ask(sql)
    }

    /// Ends all of its processes at once, as a failing machine would; its connections break, and its port refuses new ones.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Has it shut down as it does when an administrator says so: sessions are ended, what they had begun is undone.
    ///
    /// # Panics
    ///
    /// When it has not ended within a minute.
    pub fn stop(&self) {
        self.process.signal_first(Signal::INT);
        await_that("Postgres has shut down", || !self.is_running());
    }

    /// Starts it again on the same port and with the same files, after killing it where it still runs.
    ///
    /// # Panics
    ///
    /// When it does not answer within a minute, with what it last wrote to its log.
    pub fn restart(&self) {
        if let Err(Failure::PortTaken(message) | Failure::Other(message)) = self.serve() {
            panic!("{message}");
        }
    }

    /// Has it shut down, and starts it again as a standby: it answers what it is asked, and takes no changes.
    ///
    /// # Panics
    ///
    /// When it does not shut down or does not answer within a minute.
    pub fn become_standby(&self) {
        self.stop();
        Files::in_folder(self.process.folder()).mark_as_standby();
        self.restart();
    }

    /// Stops all of its processes from running, without closing a connection: who asks waits.
    pub fn stall(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Ends a stall; what was asked meanwhile is answered.
    pub fn go_on(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Stops the process of one session from running; its number is what `pg_backend_pid()` says.
    pub fn stall_backend(&self, id: i64) {
        self.signal_backend(id, Signal::STOP);
    }

    /// Has the process of one session run again.
    pub fn go_on_backend(&self, id: i64) {
        self.signal_backend(id, Signal::CONT);
    }

    /// Kills the process of one session. Postgres then ends all others too, and starts anew by itself: whoever asks meanwhile
    /// is refused.
    pub fn kill_backend(&self, id: i64) {
        self.signal_backend(id, Signal::KILL);
    }

    fn signal_backend(&self, id: i64, signal: Signal) {
        self.process.signal_other(i32::try_from(id).expect("the numbers of processes are small"), signal);
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
            self.is_ready_as(id).then_some(Ok(()))
        });
        outcome.unwrap_or_else(|| Err(self.failure("does not answer")))
    }

    /// Whether it says itself that it serves, in the file where it notes its number first and its state last.
    fn is_ready_as(&self, id: u32) -> bool {
        let notes = fs::read_to_string(self.process.folder().join("data/postmaster.pid")).unwrap_or_default();
        let mut lines = notes.lines().map(str::trim);
        let is_ready = |state| ["ready", "standby"].contains(&state);
        lines.next() == Some(id.to_string().as_str()) && lines.next_back().is_some_and(is_ready)
    }

    fn failure(&self, what: &str) -> Failure {
        let log = self.process.log_tail();
        let message = format!("Postgres at port {} {what}. The end of its log:\n{log}", self.port);
        if log.contains("Address already in use") { Failure::PortTaken(message) } else { Failure::Other(message) }
    }
}
