//! The nodes of a cluster.

use std::net::{Ipv4Addr, SocketAddr};

use crate::patience::await_that;
use crate::proxy::Proxy;
use crate::redis::server::RedisServer;

pub(super) const MASTERS: usize = 3;

/// A cluster of one's own on 127.0.0.1: three masters, with replicas where the builder says so. Dropping it kills all nodes
/// and removes their folders.
///
/// Nodes go by their number: the masters from 0 to 2, then their replicas from 3 to 5, in the same order.
///
/// # Examples
///
/// ```
/// use scupper_testbed::RedisCluster;
///
/// let cluster = RedisCluster::start();
/// let slot = cluster.slot_of("user:42");
/// let elsewhere = (cluster.owner(slot) + 1) % 3;
/// cluster.move_slot(slot, elsewhere);
/// assert_eq!(cluster.owner(slot), elsewhere);
/// ```
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    /// One for each node, or none.
    proxies: Vec<Proxy>,
    /// By which the nodes know each other.
    ids: Vec<String>,
}

/// A range of slots, its ends included, and the id of the node that has them.
struct Range {
    first: i64,
    last: i64,
    owner: String,
}

impl RedisCluster {
    /// Nodes that know nothing of each other yet.
    pub(super) fn of(nodes: Vec<RedisServer>, proxies: bool) -> Self {
        let ids = nodes.iter().map(|node| node.command(&["CLUSTER", "MYID"]).granted().text()).collect();
        let proxies = if proxies { nodes.iter().map(announced).collect() } else { Vec::new() };
        Self { nodes, proxies, ids }
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The node of that number.
    #[must_use]
    pub fn node(&self, number: usize) -> &RedisServer {
        &self.nodes[number]
    }

    /// The proxy in front of the node of that number.
    ///
    /// # Panics
    ///
    /// When the cluster was started without proxies.
    #[must_use]
    pub fn proxy(&self, number: usize) -> &Proxy {
        self.proxies.get(number).expect("the cluster must have been started with proxies")
    }

    /// The URL, such as `redis+cluster://127.0.0.1:10000,127.0.0.1:10001,127.0.0.1:10002`: those that began as masters. With
    /// TLS it begins with `rediss+cluster://`.
    #[must_use]
    pub fn url(&self) -> String {
        let ports = self.nodes.iter().map(RedisServer::peer_port).take(MASTERS);
        let ports: Vec<u16> = match self.proxies.as_slice() {
            [] => ports.collect(),
            proxies => proxies.iter().map(Proxy::port).take(MASTERS).collect(),
        };
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let scheme = if self.nodes[0].has_tls() { "rediss" } else { "redis" };
        format!("{scheme}+cluster://{}{}", self.nodes[0].user(), hosts.join(","))
    }

    /// The slot of a key.
    #[must_use]
    pub fn slot_of(&self, key: &str) -> u16 {
        let slot = self.any().command(&["CLUSTER", "KEYSLOT", key]).integer();
        u16::try_from(slot).expect("a slot is below 16,384")
    }

    /// The number of the node that has a slot.
    #[must_use]
    pub fn owner(&self, slot: u16) -> usize {
        let owner = owner_as_seen_by(self.any(), slot);
        let number = self.ids.iter().position(|id| owner.as_ref() == Some(id));
        number.expect("some node must have the slot")
    }

    /// Waits until every node that runs says that it serves.
    ///
    /// # Panics
    ///
    /// When one still does not after a minute.
    pub fn await_ok(&self) {
        for node in self.running() {
            await_that("a node of the cluster serves", || {
                node.command(&["CLUSTER", "INFO"]).text().contains("cluster_state:ok")
            });
        }
    }

    /// Waits until every node that runs says that a slot is that node's.
    ///
    /// # Panics
    ///
    /// When one still does not after a minute.
    pub fn await_owner(&self, slot: u16, number: usize) {
        for node in self.running() {
            await_that("a node knows the slot's new owner", || {
                owner_as_seen_by(node, slot).as_ref() == Some(&self.ids[number])
            });
        }
    }

    pub(super) fn id(&self, number: usize) -> &str {
        &self.ids[number]
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &RedisServer> {
        self.nodes.iter().filter(|node| node.is_running())
    }

    /// The first slot that a node has.
    pub(super) fn first_slot_of(&self, number: usize) -> u16 {
        let range = ranges_as_seen_by(self.any()).into_iter().find(|range| range.owner == self.ids[number]);
        let first = range.expect("the node must have a slot").first;
        u16::try_from(first).expect("a slot is below 16,384")
    }

    fn any(&self) -> &RedisServer {
        self.running().next().expect("some node must be running")
    }
}

/// A proxy to a node, which the node gives to clients and to other nodes as its own address.
fn announced(node: &RedisServer) -> Proxy {
    let proxy = Proxy::to(SocketAddr::from((Ipv4Addr::LOCALHOST, node.peer_port())));
    let setting = if node.has_tls() { "cluster-announce-tls-port" } else { "cluster-announce-port" };
    let _ = node.command(&["CONFIG", "SET", setting, &proxy.port().to_string()]).granted();
    // For when it is started again.
    let _ = node.command(&["CONFIG", "REWRITE"]).granted();
    proxy
}

fn owner_as_seen_by(node: &RedisServer, slot: u16) -> Option<String> {
    let ranges = ranges_as_seen_by(node).into_iter();
    ranges.filter(|range| (range.first..=range.last).contains(&slot.into())).map(|range| range.owner).next()
}

fn ranges_as_seen_by(node: &RedisServer) -> Vec<Range> {
    let ranges = node.command(&["CLUSTER", "SLOTS"]).granted().array();
    ranges
        .into_iter()
        .map(|range| {
            let parts = range.array();
            let owner = parts[2].clone().array()[2].text();
            Range { first: parts[0].integer(), last: parts[1].integer(), owner }
        })
        .collect()
}
