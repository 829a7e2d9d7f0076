use std::task::Waker;

use crate::error::Result;
use crate::guard::GuardedStore;
use crate::ruling::Ruling;
use crate::sync::{Arc, Mutex, lock};

/// One who waits for a ruling, as the line sees it.
#[derive(Debug)]
pub(super) struct Waiter {
    /// Whom to ask for it.
    pub(super) store: Arc<GuardedStore>,
    slot: Mutex<Slot>,
}

#[derive(Debug)]
enum Slot {
    Waiting(Option<Waker>),
    Ruled(Result<Ruling>),
    Gone,
}

impl Waiter {
    pub(super) fn new(store: Arc<GuardedStore>) -> Self {
        Self { store, slot: Mutex::new(Slot::Waiting(None)) }
    }

    /// Hands over the ruling: the waker to wake, or the ruling again if nobody wants it any more.
    pub(super) fn rule(&self, ruling: Result<Ruling>) -> Result<Option<Waker>, Result<Ruling>> {
        let mut slot = lock(&self.slot);
        match std::mem::replace(&mut *slot, Slot::Gone) {
            Slot::Waiting(waker) => {
                *slot = Slot::Ruled(ruling);
                Ok(waker)
            }
            // Nobody is ruled twice.
            Slot::Ruled(_) | Slot::Gone => Err(ruling),
        }
    }

    /// The ruling if it is there; else `waker` is woken once it is.
    pub(super) fn poll(&self, waker: &Waker) -> Option<Result<Ruling>> {
        let mut slot = lock(&self.slot);
        match &mut *slot {
            Slot::Waiting(Some(known)) if known.will_wake(waker) => None,
            Slot::Waiting(known) => {
                let last = known.replace(waker.clone());
                drop(slot);
                // A waker runs foreign code when it is dropped: not under the lock.
                drop(last);
                None
            }
            Slot::Ruled(_) => match std::mem::replace(&mut *slot, Slot::Gone) {
                Slot::Ruled(ruling) => Some(ruling),
                _ => None,
            },
            Slot::Gone => None,
        }
    }

    /// Wants nothing any more; what was ruled already is handed back.
    pub(super) fn go(&self) -> Option<Result<Ruling>> {
        // A waker runs foreign code when it is dropped: not under the lock.
        let last = std::mem::replace(&mut *lock(&self.slot), Slot::Gone);
        match last {
            Slot::Ruled(ruling) => Some(ruling),
            Slot::Waiting(_) | Slot::Gone => None,
        }
    }
}
