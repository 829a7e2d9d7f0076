//! What a sanitizer can look into: it must see every step of a lock, and the system's own came without its marks.
#![expect(clippy::unnecessary_wraps, reason = "they stand in for those of the system, which may be poisoned")]

use std::sync::LockResult;
use std::time::Duration;

pub(crate) use self::{Mutex as StaticMutex, MutexGuard as StaticGuard};
#[cfg(any(feature = "shared-memory", feature = "sqlite"))]
pub(crate) use self::{
    RwLock as StaticRwLock, RwLockReadGuard as StaticReadGuard, RwLockWriteGuard as StaticWriteGuard,
};
pub(crate) use parking_lot::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// As [`std::sync::Mutex`], never poisoned.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

/// As [`std::sync::RwLock`], never poisoned.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(parking_lot::RwLock<T>);

/// As [`std::sync::Condvar`].
#[derive(Debug, Default)]
pub(crate) struct Condvar(parking_lot::Condvar);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        Ok(self.0.lock())
    }
}

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        Ok(self.0.read())
    }

    pub(crate) fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        Ok(self.0.write())
    }
}

impl Condvar {
    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(&mut guard);
        Ok(guard)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        pause: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let has_timed_out = self.0.wait_for(&mut guard, pause).timed_out();
        Ok((guard, has_timed_out))
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}
