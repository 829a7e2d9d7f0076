//! The synchronisation primitives of the crate, in one place so that others can stand in for them: those of the model checker
//! `shuttle` under `--cfg scupper_shuttle`, and some that `ThreadSanitizer` sees into under `--cfg scupper_tsan`.

#[cfg(not(any(scupper_shuttle, scupper_tsan)))]
mod system;
#[cfg(not(any(scupper_shuttle, scupper_tsan)))]
pub(crate) use system::*;

#[cfg(scupper_tsan)]
mod instrumented;
#[cfg(scupper_tsan)]
pub(crate) use instrumented::*;

#[cfg(not(scupper_shuttle))]
mod decision;
#[cfg(not(scupper_shuttle))]
pub(crate) use decision::*;
#[cfg(not(scupper_shuttle))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64},
    thread,
};

#[cfg(scupper_shuttle)]
mod model;
#[cfg(scupper_shuttle)]
pub(crate) use model::*;

pub(crate) use std::sync::atomic::Ordering;
// No thread waits at these, and what they count is decided by what happens at the others.
pub(crate) use std::sync::{Arc, OnceLock, PoisonError, Weak};

/// Has a new thread do this, also in a child of a fork; nobody waits for its end.
#[cfg(all(any(feature = "shared-memory", feature = "sqlite"), not(any(scupper_shuttle, scupper_tsan))))]
pub(crate) use scupper_shm::thread::start as start_thread;

/// As above, where no store is made for forks, or nobody forks.
#[cfg(any(not(any(feature = "shared-memory", feature = "sqlite")), scupper_shuttle, scupper_tsan))]
pub(crate) fn start_thread(name: &'static std::ffi::CStr, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.to_string_lossy().into_owned()).spawn(work).map(drop)
}

/// Changes at forks alone, which a model checker does not have.
#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
pub(crate) use std::sync::atomic::AtomicU64 as AtomicGeneration;

/// A word of a file that processes share, which is beyond what a model checker sees.
#[cfg(feature = "shared-memory")]
pub(crate) use std::sync::atomic::AtomicU64 as MappedWord;

/// Locks what no panic can leave half-written.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`], for a static.
pub(crate) fn lock_static<T>(mutex: &StaticMutex<T>) -> StaticGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For a decision lock that threads meet at by chance: the owner is gone in a moment.
pub(crate) const BRIEFLY: u32 = 1;
/// For a decision lock that threads fight for: a microsecond lets one of them get many decisions done before the state moves
/// to another core.
pub(crate) const IN_TURNS: u32 = 64;
