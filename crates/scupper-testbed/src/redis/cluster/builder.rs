//! What kind of cluster to start.

use crate::certificates::Certificates;
use crate::redis::builder::RedisServerBuilder;
use crate::redis::cluster::forming::form;
use crate::redis::cluster::nodes::{MASTERS, RedisCluster};
use crate::redis::server::RedisServer;

/// Small, so that a failure is noticed soon, yet longer than a busy machine keeps a node from answering.
const NODE_TIMEOUT_MS: u32 = 2000;

/// How a cluster is to be.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder starts nothing until it is told to"]
pub struct RedisClusterBuilder {
    replicas: bool,
    proxies: bool,
    password: Option<String>,
    tls: Option<Certificates>,
    lines: Vec<String>,
}

impl RedisCluster {
    /// Three masters, which share the slots evenly.
    #[must_use = "a cluster lives as long as its value"]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A cluster with more to it.
    pub fn builder() -> RedisClusterBuilder {
        RedisClusterBuilder::default()
    }
}

impl RedisClusterBuilder {
    /// Gives each master a replica.
    pub fn replicas(mut self) -> Self {
        self.replicas = true;
        self
    }

    /// Puts a proxy in front of each node. The nodes name the proxies to clients, and so does the URL.
    pub fn proxies(mut self) -> Self {
        self.proxies = true;
        self
    }

    /// Makes the user `default` need this password, on every node.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Speaks TLS, to clients and among the nodes. For the tests' own commands the nodes listen without it too.
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some(certificates.clone());
        self
    }

    /// Adds a line to the `redis.conf` of every node.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Starts it, and waits until every node knows all the others and serves.
    ///
    /// # Panics
    ///
    /// When it does not come to that within a minute.
    #[must_use = "a cluster lives as long as its value"]
    pub fn start(self) -> RedisCluster {
        let count = if self.replicas { 2 * MASTERS } else { MASTERS };
        let nodes: Vec<RedisServer> = (0..count).map(|_| self.node().start()).collect();
        let cluster = RedisCluster::of(nodes, self.proxies);
        let (masters, replicas) = cluster.nodes().split_at(MASTERS);
        form(masters, replicas);
        cluster.await_ok();
        cluster
    }

    fn node(&self) -> RedisServerBuilder {
        let mut node = RedisServer::builder()
            .line("cluster-enabled yes")
            .line("cluster-config-file nodes.conf")
            .line(&format!("cluster-node-timeout {NODE_TIMEOUT_MS}"))
            // Whom a test makes a replica stays that, however old its data and however many others there are.
            .line("cluster-replica-validity-factor 0")
            .line("cluster-allow-replica-migration no")
            .line("repl-diskless-sync-delay 0");
        if let Some(password) = &self.password {
            node = node.password(password).line(&format!("masterauth {password}"));
        }
        if let Some(certificates) = &self.tls {
            node = node.tls(certificates).line("tls-cluster yes").line("tls-replication yes");
        }
        self.lines.iter().fold(node, |node, line| node.line(line))
    }
}
