//! How servers become a cluster.

use crate::patience::await_that;
use crate::redis::server::RedisServer;

/// How many slots there are in every cluster.
const SLOTS: usize = 16_384;

/// Makes a cluster of servers that know nothing yet: the masters share the slots evenly, in order.
pub(super) fn form(masters: &[RedisServer], replicas: &[RedisServer]) {
    for (number, master) in masters.iter().enumerate() {
        // Each its own, so that they need not find out who yields to whom.
        let epoch = (number + 1).to_string();
        let _ = master.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).granted();
        let slots = SLOTS * number / masters.len()..SLOTS * (number + 1) / masters.len();
        let words = ["CLUSTER", "ADDSLOTS"].map(str::to_owned).into_iter();
        let words: Vec<String> = words.chain(slots.map(|slot| slot.to_string())).collect();
        let _ = master.command(&words).granted();
    }
    let nodes: Vec<&RedisServer> = masters.iter().chain(replicas).collect();
    for (number, node) in nodes.iter().enumerate() {
        // Each meets each: to hear of one another takes them longer.
        for other in &nodes[number + 1..] {
            let _ = node.command(&["CLUSTER", "MEET", "127.0.0.1", &other.peer_port().to_string()]).granted();
        }
    }
    for (master, replica) in masters.iter().zip(replicas) {
        let id = master.command(&["CLUSTER", "MYID"]).granted().text();
        await_that("a replica can follow its master", || {
            replica.command(&["CLUSTER", "REPLICATE", &id]).text() == "OK"
        });
    }
    for replica in replicas {
        await_that("a replica has the data of its master", || {
            replica.command(&["INFO", "replication"]).text().contains("master_link_status:up")
        });
    }
    for node in &nodes {
        await_that("a node knows every other", || {
            let known = node.command(&["CLUSTER", "NODES"]).text();
            let lines = || known.lines().map(|line| line.split(' ').collect::<Vec<_>>());
            lines().count() == nodes.len()
                && lines().all(|words| !words[2].contains("handshake") && words[7] == "connected")
                && lines().filter(|words| words[2].contains("slave")).count() == replicas.len()
        });
    }
}
