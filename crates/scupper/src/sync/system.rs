//! What the system offers.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock};
pub(crate) use std::sync::{Mutex as StaticMutex, MutexGuard as StaticGuard};
#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
pub(crate) use std::sync::{
    RwLock as StaticRwLock, RwLockReadGuard as StaticReadGuard, RwLockWriteGuard as StaticWriteGuard,
};
