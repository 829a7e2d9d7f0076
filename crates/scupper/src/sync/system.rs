//! What the system offers.

/// Has a new thread do this, also in a child of a fork; nobody waits for its end.
#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
pub(crate) use scupper_shm::thread::start as start_thread;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock};
pub(crate) use std::sync::{Mutex as StaticMutex, MutexGuard as StaticGuard};
#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
pub(crate) use std::sync::{
    RwLock as StaticRwLock, RwLockReadGuard as StaticReadGuard, RwLockWriteGuard as StaticWriteGuard,
};
