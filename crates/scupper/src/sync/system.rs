//! What the system offers.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock};
pub(crate) use std::sync::{Mutex as StaticMutex, MutexGuard as StaticGuard};
