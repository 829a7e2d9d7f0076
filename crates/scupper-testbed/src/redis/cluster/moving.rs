//! Slots that move from node to node.

use crate::patience::await_that;
use crate::redis::cluster::nodes::{MASTERS, RedisCluster};
use crate::redis::reply::Reply;

/// How many keys of a slot move at once.
const BATCH: &str = "100";

const MOVE_LIMIT_MS: &str = "5000";

impl RedisCluster {
    /// Begins to move a slot. From now on its owner answers `ASK` to who asks for a key that it does not have.
    pub fn begin_move(&self, slot: u16, to: usize) {
        let (from, slot) = (self.owner(slot), slot.to_string());
        let _ = self.node(to).command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", self.id(from)]).granted();
        let _ = self.node(from).command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", self.id(to)]).granted();
    }

    /// Moves the keys of a slot whose move has begun, and does not end the move.
    pub fn move_keys(&self, slot: u16, to: usize) {
        let from = self.node(self.owner(slot));
        let slot = slot.to_string();
        loop {
            let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, BATCH]).granted().array();
            if keys.is_empty() {
                return;
            }
            let _ = from.command(&self.migration(&keys, to)).granted();
        }
    }

    /// Ends a move that has begun: the keys that are left move, and every node learns of the new owner.
    pub fn finish_move(&self, slot: u16, to: usize) {
        let from = self.owner(slot);
        self.move_keys(slot, to);
        let number = slot.to_string();
        let words = ["CLUSTER", "SETSLOT", &number, "NODE", self.id(to)];
        // First the new owner, so that there is one at every moment.
        for node in [to, from] {
            let _ = self.node(node).command(&words).granted();
        }
        for node in self.running() {
            // Replicas refuse it, and hear of it from their masters.
            let _ = node.command(&words);
        }
        self.await_owner(slot, to);
    }

    /// Moves a slot with its keys.
    pub fn move_slot(&self, slot: u16, to: usize) {
        self.begin_move(slot, to);
        self.finish_move(slot, to);
    }

    /// Kills a master and has its replica take its place. After that it may be the other way round.
    ///
    /// # Panics
    ///
    /// When the cluster was started without replicas.
    pub fn fail_over(&self, master: usize) {
        assert!(self.nodes().len() > MASTERS, "The cluster must have been started with replicas.");
        let successor = (master + MASTERS) % self.nodes().len();
        let slot = self.first_slot_of(master);
        self.node(master).kill();
        let _ = self.node(successor).command(&["CLUSTER", "FAILOVER", "TAKEOVER"]).granted();
        self.await_owner(slot, successor);
        self.await_ok();
    }

    /// Waits until a node, such as one that was killed and started again, is a replica with the data of its master.
    ///
    /// # Panics
    ///
    /// When it still is not after a minute.
    pub fn await_replica(&self, number: usize) {
        await_that("the node is a replica with the data of its master", || {
            let role = self.node(number).command(&["INFO", "replication"]).text();
            role.contains("role:slave") && role.contains("master_link_status:up")
        });
    }

    fn migration(&self, keys: &[Reply], to: usize) -> Vec<String> {
        let to = self.node(to);
        let port = to.peer_port().to_string();
        let mut words = ["MIGRATE", "127.0.0.1", &port, "", "0", MOVE_LIMIT_MS].map(str::to_owned).to_vec();
        if let Some(password) = to.password() {
            words.extend(["AUTH", password].map(str::to_owned));
        }
        words.push("KEYS".to_owned());
        words.extend(keys.iter().map(Reply::text));
        words
    }
}
