use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::sync::{Arc, Mutex, MutexGuard, lock};
use crate::waiting::gate::Gate;

/// Enough that threads on different keys seldom meet. The model checker looks at one key, and at every lock.
const SHARDS: usize = if cfg!(scupper_shuttle) { 1 } else { 16 };

/// Who serves the line on a key, for all keys on which there is one.
#[derive(Debug)]
pub(super) struct Directory<S> {
    gate: Arc<Gate>,
    shards: [Mutex<Shard<S>>; SHARDS],
    hasher: RandomState,
}

type Shard<S> = HashMap<Box<str>, Arc<S>>;

impl<S> Directory<S> {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }

    /// A part of the directory that holds this key, locked.
    pub(super) fn part(&self, key: &str) -> Part<'_, S> {
        #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are enough to choose")]
        let hash = self.hasher.hash_one(key) as usize;
        Part { gate: &self.gate, shard: lock(&self.shards[hash % self.shards.len()]) }
    }

    pub(super) fn find(&self, key: &str) -> Option<Arc<S>> {
        if !self.gate.has_lines() {
            return None;
        }
        self.part(key).shard.get(key).map(Arc::clone)
    }

    /// All that serve, one part after the other. Who comes and goes meanwhile may be missed.
    pub(super) fn each(&self, work: impl Fn(&Arc<S>)) {
        for shard in &self.shards {
            let all: Vec<_> = lock(shard).values().map(Arc::clone).collect();
            all.iter().for_each(&work);
        }
    }
}

/// A part of the directory, locked: nobody joins or ends a line of it meanwhile.
pub(super) struct Part<'a, S> {
    gate: &'a Gate,
    shard: MutexGuard<'a, Shard<S>>,
}

impl<S> Part<'_, S> {
    /// The one that serves this key, made for the purpose if there is none.
    pub(super) fn open(&mut self, key: &str, build: impl FnOnce() -> S) -> Arc<S> {
        if let Some(known) = self.shard.get(key) {
            return Arc::clone(known);
        }
        let made = Arc::new(build());
        self.shard.insert(key.into(), Arc::clone(&made));
        self.gate.line_opened();
        made
    }

    /// Gives up this one, if it is the one that serves this key.
    pub(super) fn close(mut self, key: &str, server: &Arc<S>) {
        if self.shard.get(key).is_some_and(|current| Arc::ptr_eq(current, server)) {
            let gone = self.shard.remove(key);
            self.gate.line_closed();
            drop(self);
            drop(gone);
        }
    }
}
