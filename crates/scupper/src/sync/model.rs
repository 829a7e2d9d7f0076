//! What the model checker offers in place of the system: it decides at each of these who goes on.

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, RwLock};
pub(crate) use shuttle::thread;

// A static outlives the runs of the model checker, so its lock is none of its locks; and what is done under it meets no other,
// or a run would hang.
pub(crate) use std::sync::{Mutex as StaticMutex, MutexGuard as StaticGuard};

#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
pub(crate) use std::sync::{
    RwLock as StaticRwLock, RwLockReadGuard as StaticReadGuard, RwLockWriteGuard as StaticWriteGuard,
};

use std::sync::PoisonError;

/// The lock around decisions. Threads that the model checker runs one at a time must not spin.
#[derive(Debug, Default)]
pub(crate) struct DecisionLock<T, const FIRST_PAUSE: u32>(Mutex<T>);

pub(crate) type DecisionGuard<'a, T> = MutexGuard<'a, T>;

impl<T, const FIRST_PAUSE: u32> DecisionLock<T, FIRST_PAUSE> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn try_lock(&self) -> Option<DecisionGuard<'_, T>> {
        self.0.try_lock().ok()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock(&self) -> DecisionGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
