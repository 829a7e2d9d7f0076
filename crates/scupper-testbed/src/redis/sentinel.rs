//! A Redis, another that stands in for it, and a Sentinel that says which is which.

use crate::certificates::Certificates;
use crate::patience::{PATIENCE, await_that, look_for};
use crate::program::Program;
use crate::redis::builder::RedisServerBuilder;
use crate::redis::reply::Reply;
use crate::redis::server::RedisServer;

/// The name under which Sentinel knows the two.
const NAME: &str = "mymaster";

/// Small, so that a failure is noticed soon, yet longer than a busy machine keeps a server from answering.
const DOWN_AFTER_MS: u32 = 1500;

const FAILOVER_LIMIT_MS: u32 = 2000;

/// Its own periods, up to ten seconds, are more than a test should wait for, and so is the half minute for which it trusts
/// nothing after it was kept from running. Below `DOWN_AFTER_MS` there is room for three pings; and five pings are the time
/// for which it believes what a replica says of itself, which it asks for every second while the primary is down.
const HASTE: &[&str] = &["PING-PERIOD", "400", "INFO-PERIOD", "200", "PUBLISH-PERIOD", "200", "TILT-PERIOD", "1000"];

/// How the servers are to be.
#[derive(Clone, Debug)]
#[must_use = "a builder starts nothing until it is told to"]
pub struct RedisSentinelBuilder {
    server: RedisServerBuilder,
    sentinel: RedisServerBuilder,
    password: Option<String>,
}

/// A primary, its replica, and a Sentinel, on 127.0.0.1. Dropping it kills all three and removes their folders.
///
/// # Examples
///
/// ```
/// use scupper_testbed::RedisSentinel;
///
/// let servers = RedisSentinel::start();
/// let replica = servers.replica().port();
/// servers.fail_over();
/// assert_eq!(servers.primary().port(), replica);
/// ```
#[derive(Debug)]
pub struct RedisSentinel {
    sentinel: RedisServer,
    servers: [RedisServer; 2],
}

impl RedisSentinelBuilder {
    /// Makes the user `default` of the primary and the replica need this password; Sentinel itself asks for none.
    pub fn password(mut self, password: &str) -> Self {
        self.server = self.server.password(password).line(&format!("masterauth {password}"));
        self.password = Some(password.to_owned());
        self
    }

    /// Makes Sentinel need this password.
    pub fn sentinel_password(mut self, password: &str) -> Self {
        self.sentinel = self.sentinel.password(password);
        self
    }

    /// Speaks TLS, to clients and among the three. For the tests' own commands they listen without it too.
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.server = self.server.tls(certificates).line("tls-replication yes");
        self.sentinel = self.sentinel.tls(certificates).line("tls-replication yes");
        self
    }

    /// Adds a line to the `redis.conf` of the primary and the replica.
    pub fn line(mut self, line: &str) -> Self {
        self.server = self.server.line(line);
        self
    }

    /// Starts all three, and waits until Sentinel could make the replica primary.
    ///
    /// # Panics
    ///
    /// When they do not come to that within a minute.
    #[must_use = "servers live as long as their value"]
    pub fn start(self) -> RedisSentinel {
        let primary = self.server.clone().start();
        let replica = self.server.line(&format!("replicaof 127.0.0.1 {}", primary.peer_port())).start();
        await_that("the replica has the data of the primary", || follows(&replica, &primary));
        let mut sentinel = self
            .sentinel
            .line(&format!("sentinel monitor {NAME} 127.0.0.1 {} 1", primary.peer_port()))
            .line(&format!("sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}"))
            .line(&format!("sentinel failover-timeout {NAME} {FAILOVER_LIMIT_MS}"));
        if let Some(password) = &self.password {
            sentinel = sentinel.line(&format!("sentinel auth-pass {NAME} {password}"));
        }
        let sentinel = sentinel.start();
        let _ = sentinel.command(&[&["SENTINEL", "DEBUG"], HASTE].concat()).granted();
        let servers = RedisSentinel { sentinel, servers: [primary, replica] };
        servers.await_replica();
        servers
    }
}

impl RedisSentinel {
    /// Servers with the defaults of Redis, keeping nothing on disk, on any free ports.
    #[must_use = "servers live as long as their value"]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Servers with more to them.
    pub fn builder() -> RedisSentinelBuilder {
        RedisSentinelBuilder {
            server: RedisServer::builder().line("repl-diskless-sync-delay 0"),
            sentinel: RedisServerBuilder::of(Program::RedisSentinel),
            password: None,
        }
    }

    /// The URL, such as `redis+sentinel://127.0.0.1:10002/mymaster`; with TLS it begins with `rediss+sentinel://`. A password
    /// of the servers is in it, one of Sentinel is not.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.sentinel.has_tls() { "rediss" } else { "redis" };
        format!("{scheme}+sentinel://{}127.0.0.1:{}/{NAME}", self.servers[0].user(), self.sentinel.peer_port())
    }

    /// The Sentinel. Started again by hand, it goes by its own periods, and may take twenty seconds to act.
    #[must_use]
    pub fn sentinel(&self) -> &RedisServer {
        &self.sentinel
    }

    /// The server that is primary by the word of Sentinel.
    #[must_use]
    pub fn primary(&self) -> &RedisServer {
        &self.servers[self.primary_number()]
    }

    /// The server that is not primary by the word of Sentinel.
    #[must_use]
    pub fn replica(&self) -> &RedisServer {
        &self.servers[1 - self.primary_number()]
    }

    /// Has Sentinel exchange primary and replica, both of which run, and waits until they have changed places.
    ///
    /// # Panics
    ///
    /// When Sentinel has not done so within a minute.
    pub fn fail_over(&self) {
        let (primary, replica) = (self.primary(), self.replica());
        let mut refusal = String::new();
        let granted = look_for(PATIENCE, || {
            // It refuses while it has no fresh word of the replica.
            refusal = self.sentinel.command(&["SENTINEL", "FAILOVER", NAME]).text();
            (refusal == "OK").then_some(())
        });
        assert!(granted.is_some(), "Sentinel does not exchange primary and replica: {refusal}");
        self.await_primary(replica);
        await_that("the old primary has the data of the new one", || follows(primary, replica));
    }

    /// Kills the primary, and waits until Sentinel has noticed and made the replica primary.
    ///
    /// # Panics
    ///
    /// When Sentinel has not done so within a minute.
    pub fn kill_primary(&self) {
        let (primary, replica) = (self.primary(), self.replica());
        primary.kill();
        self.await_primary(replica);
    }

    /// Waits until Sentinel has a replica that could become primary, such as a killed primary that was started again.
    ///
    /// # Panics
    ///
    /// When it still has none after a minute.
    pub fn await_replica(&self) {
        let port = self.replica().peer_port().to_string();
        await_that("Sentinel knows a replica in working order", || {
            let replicas = self.sentinel.command(&["SENTINEL", "REPLICAS", NAME]).granted().array();
            replicas.into_iter().any(|replica| {
                let words: Vec<String> = replica.array().iter().map(Reply::text).collect();
                let has = |name: &str, value: &str| words.chunks(2).any(|pair| pair == [name, value]);
                has("port", &port) && has("flags", "slave") && has("master-link-status", "ok")
            })
        });
    }

    fn await_primary(&self, server: &RedisServer) {
        await_that("Sentinel names the new primary", || self.primary().port() == server.port());
        await_that("the new primary says that it is", || role(server).contains("role:master"));
    }

    fn primary_number(&self) -> usize {
        let address = self.sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).granted().array();
        let port = address[1].text();
        let number = self.servers.iter().position(|server| server.peer_port().to_string() == port);
        number.expect("Sentinel must name one of the two")
    }
}

fn follows(replica: &RedisServer, primary: &RedisServer) -> bool {
    let role = role(replica);
    role.contains("master_link_status:up") && role.contains(&format!("master_port:{}\r\n", primary.peer_port()))
}

/// What the server says of itself; nothing while Sentinel closes its connections, which belongs to a change of roles.
fn role(server: &RedisServer) -> String {
    server.try_command(&["INFO", "replication"]).map(|reply| reply.text()).unwrap_or_default()
}
