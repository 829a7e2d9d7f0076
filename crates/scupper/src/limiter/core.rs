use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::fork::undivided;
use crate::guard::GuardedStore;
use crate::limiter::shortcut::Shortcut;
use crate::quota::Quota;
use crate::rates::Rates;
use crate::route::{MAX_KEY_BYTES, Route, Routed};
use crate::store::{MemoryStore, Verdict};
use crate::sync::{Arc, AtomicBool, Ordering, PoisonError, RwLock};
use crate::time::Timestamp;
use crate::waiting::{Gate, Pass, Room};

/// What all clones of a limiter share.
// What every decision reads comes first, in one cache line.
#[repr(C, align(64))]
pub(super) struct Core {
    /// As it was built.
    pub(super) route: Route,
    /// The store once more if it is the one of this process: known to the compiler, it decides in half the time.
    pub(super) memory: Option<MemoryStore>,
    /// The room's, at hand.
    pub(super) gate: Arc<Gate>,
    /// Opens the gate for as long as the limiter is as it was built.
    pub(super) pass: Pass,
    pub(super) store: Arc<GuardedStore>,
    pub(super) room: Arc<Room>,
    pub(super) most_waiting: usize,
    is_changed: AtomicBool,
    changed: RwLock<Option<Quota>>,
    is_closed: AtomicBool,
}

/// A request to a bucket that was routed.
#[derive(Clone, Debug)]
pub(super) struct Demand<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) quota: Cow<'a, Quota>,
    /// Whether the quota is the limiter's own, and changes with it.
    pub(super) follows: bool,
    pub(super) shortcut: Option<&'a Shortcut>,
    pub(super) weight: u64,
    pub(super) at: Option<Timestamp>,
    pub(super) timeout: Option<Duration>,
}

impl<'a> Demand<'a> {
    pub(super) fn new(routed: Routed<'a>, weight: u64) -> Self {
        let Routed { key, quota, follows } = routed;
        Self { key, quota, follows, shortcut: None, weight, at: None, timeout: None }
    }
}

impl Core {
    pub(super) fn new(
        route: Route,
        store: Arc<GuardedStore>,
        memory: Option<MemoryStore>,
        room: Arc<Room>,
        most_waiting: usize,
    ) -> Self {
        let gate = Arc::clone(&room.gate);
        let pass = Pass::new(gate.look());
        Self {
            route,
            store,
            memory,
            room,
            gate,
            pass,
            most_waiting,
            is_changed: AtomicBool::new(false),
            changed: RwLock::new(None),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Decides on one unit if the store does so without a call.
    #[inline(always)]
    pub(super) fn acquire_at_once(&self, key: &str, quota: &Quota) -> Option<Verdict> {
        match &self.memory {
            Some(memory) => memory.acquire_one(key, quota),
            // One that is too long is nobody's, and an error by the usual way.
            None if key.len() > MAX_KEY_BYTES => None,
            None => self.store.store.acquire_at_once(key, quota, 1),
        }
    }

    /// Where a request of this key goes now.
    pub(super) fn find<'a>(&'a self, key: &'a str, weight: u64) -> Result<Routed<'a>> {
        let mut routed = self.route.find(key, weight)?;
        if routed.follows
            && let Some(quota) = self.changed_quota()
        {
            routed.quota = Cow::Owned(quota);
        }
        Ok(routed)
    }

    pub(super) fn is_changed(&self) -> bool {
        self.is_changed.load(Ordering::Acquire)
    }

    /// The limiter's own quota, if it is not the one that it was built with.
    pub(super) fn changed_quota(&self) -> Option<Quota> {
        if !self.is_changed() {
            return None;
        }
        undivided(|| self.changed.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Holds requests to other rates from now on, those that wait already included.
    pub(super) fn set_rates(&self, rates: Rates) -> Result<()> {
        let Some(own) = self.route.own_quota() else {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "the limiter has a route, which chooses the rates of each request; change them there",
            ));
        };
        let quota = Quota::new(own.algorithm(), rates)?;
        undivided(|| *self.changed.write().unwrap_or_else(PoisonError::into_inner) = Some(quota.clone()));
        self.is_changed.store(true, Ordering::Release);
        self.gate.limiter_changed();
        // Whoever sets other rates meanwhile may have reached those who wait before this did.
        let mut held_to = None;
        loop {
            let now = self.changed_quota();
            if now == held_to {
                return Ok(());
            }
            if let Some(quota) = &now {
                self.room.hold_to(&self.store, quota);
            }
            held_to = now;
        }
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.gate.limiter_changed();
        self.room.close(&self.store);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { route, store, changed, is_closed, .. } = self;
        f.debug_struct("Core")
            .field("route", route)
            .field("changed", changed)
            .field("store", store)
            .field("is_closed", is_closed)
            .finish_non_exhaustive()
    }
}
