use std::collections::HashMap;

use crate::error::Result;
use crate::fork::{OfProcess, undivided};
use crate::guard::GuardedStore;
use crate::quota::Quota;
use crate::ruling::Ruling;
use crate::store::Store;
use crate::sync::{Arc, OnceLock, StaticMutex, Weak, lock, lock_static};
use crate::waiting::answers::{behind, closed, queue_full, too_late};
use crate::waiting::claim::Claim;
use crate::waiting::denials::Denials;
use crate::waiting::directory::Directory;
use crate::waiting::entry::Entry;
use crate::waiting::gate::Gate;
use crate::waiting::server::Server;
use crate::waiting::ticket::Ticket;
use crate::waiting::waiter::Waiter;

/// All lines of this process for the buckets of one store, whichever limiter the requests come from.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) gate: Arc<Gate>,
    lines: OfProcess<Lines>,
}

/// Who serves the lines, and what is known without asking the store.
#[derive(Debug)]
struct Lines {
    directory: Arc<Directory<Server>>,
    denials: Arc<Denials>,
}

impl Lines {
    fn new(gate: &Arc<Gate>) -> Self {
        Self { directory: Arc::new(Directory::new(Arc::clone(gate))), denials: Arc::default() }
    }
}

/// A request that has come to a line.
#[derive(Debug)]
pub(crate) enum Joined {
    /// It was answered at once.
    Ruled(Ruling),
    /// It stands in line.
    Waits(Ticket),
}

/// How many requests that do not wait may gather on one key while the store is being asked.
const MOST_PASSING: usize = 65_536;

type Rooms = StaticMutex<HashMap<usize, Weak<Room>>>;

static ROOMS: OnceLock<Rooms> = OnceLock::new();

impl Room {
    /// The room of this store, by what it says is its identity.
    pub(crate) fn of(store: &dyn Store) -> Arc<Self> {
        let (identity, gate) = (store.identity(), Arc::<Gate>::default());
        let lines = OfProcess::new(Lines::new(&gate));
        let fresh = Arc::new(Self { gate, lines });
        undivided(|| {
            let mut rooms = lock_static(ROOMS.get_or_init(Rooms::default));
            if let Some(room) = rooms.get(&identity).and_then(Weak::upgrade) {
                return room;
            }
            rooms.retain(|_, room| room.strong_count() > 0);
            rooms.insert(identity, Arc::downgrade(&fresh));
            fresh
        })
    }

    /// Those of this process: in a child, nobody is left who would serve those of its parent.
    #[inline]
    fn lines(&self) -> &Lines {
        self.lines.get(|| {
            self.gate.lines_are_gone();
            Lines::new(&self.gate)
        })
    }

    /// Whether somebody stands in line on this key.
    pub(crate) fn has_line(&self, key: &str) -> bool {
        self.lines().directory.find(key).is_some()
    }

    /// What is known of such a request without asking the store.
    pub(crate) fn known_denial(&self, key: &str, store: &GuardedStore, asked: (&Quota, u64)) -> Option<Ruling> {
        if store.keep_denials.is_zero() {
            return None;
        }
        self.lines().denials.find(key, asked, store.timer.now(), store.keep_denials)
    }

    /// Puts a request in line, unless it can be answered as the line stands. No more than `most` may wait there, and nobody
    /// joins once it `is_closed`; who follows the limiter's quota is held to the one that it has now.
    pub(crate) fn join(
        &self,
        key: &str,
        store: &Arc<GuardedStore>,
        claim: Claim,
        most: usize,
        (is_closed, changed_quota): (impl Fn() -> bool, impl Fn() -> Option<Quota>),
    ) -> Result<Joined> {
        let now = store.timer.now();
        let waiter = Arc::new(Waiter::new(Arc::clone(store)));
        let waits = claim.waits;
        let mut entry = Entry::new(claim, now, Arc::clone(&waiter));
        let lines = self.lines();
        let mut part = lines.directory.part(key);
        // Asked with the lock held: whoever closes, or sets other rates, comes through here afterwards.
        if is_closed() {
            return Err(closed());
        }
        if entry.claim.follows
            && let Some(quota) = changed_quota()
        {
            entry.claim.quota = quota;
        }
        let server = part.open(key, || Server::new(key, &lines.directory, &lines.denials, &store.timer));
        let mut line = lock(&server.line);
        let earliest = line.queue.earliest(now, &entry.claim.quota, entry.claim.weight);
        match earliest {
            Some(earliest) if !entry.claim.waits => {
                return Ok(Joined::Ruled(behind(&entry.claim.quota, now, earliest)));
            }
            Some(earliest) if entry.deadline.is_some_and(|deadline| deadline < earliest) => {
                return Err(too_late(entry.deadline, now, earliest));
            }
            _ => {}
        }
        let is_full = if waits { line.queue.waiting() >= most } else { line.queue.passing() >= MOST_PASSING };
        let number = (!is_full).then(|| line.queue.join(entry));
        drop(line);
        drop(part);
        if earliest.is_none() {
            server.run();
        }
        match number {
            Some(number) => Ok(Joined::Waits(Ticket::new(server, number, waiter))),
            None => Err(queue_full(if waits { most } else { MOST_PASSING })),
        }
    }

    /// The bucket of this key has changed by what was done in this process; it may have room.
    pub(crate) fn released(&self, key: &str) {
        let lines = self.lines();
        match lines.directory.find(key) {
            Some(server) => server.release(),
            None => lines.denials.forget(key),
        }
    }

    /// The bucket of this key has changed, and has no more room than before.
    pub(crate) fn changed(&self, key: &str) {
        let lines = self.lines();
        match lines.directory.find(key) {
            Some(server) => server.change(),
            None => lines.denials.forget(key),
        }
    }

    /// Sends all who wait for this store away.
    pub(crate) fn close(&self, store: &Arc<GuardedStore>) {
        self.lines().directory.each(|server| server.close(store));
    }

    /// Holds those who wait for this store, and follow its limiter, to another quota from now on.
    pub(crate) fn hold_to(&self, store: &Arc<GuardedStore>, quota: &Quota) {
        self.lines().directory.each(|server| server.hold_to(store, quota));
    }
}
