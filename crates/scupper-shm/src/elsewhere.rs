//! The same names where there is nothing behind them: no value of these types is ever made.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::{LockError, OpenError, OpenErrorKind};

/// One opening of a mapped file. On this system there is none: opening and creating is an error.
#[derive(Debug)]
pub struct Shared(Infallible);

/// The lock of a mapped file, held.
#[derive(Debug)]
pub struct Guard<'a>(Infallible, PhantomData<&'a Shared>);

impl Shared {
    /// Always an error on this system.
    ///
    /// # Errors
    /// [`OpenErrorKind::Unsupported`].
    pub fn open(path: &Path) -> Result<Option<Self>, OpenError> {
        Err(unsupported(path))
    }

    /// Always an error on this system.
    ///
    /// # Errors
    /// [`OpenErrorKind::Unsupported`].
    pub fn create(path: &Path, _words: usize, _mode: u32, _init: impl FnOnce(&[AtomicU64])) -> Result<Self, OpenError> {
        Err(unsupported(path))
    }

    /// The words that all who have the file open share.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        match self.0 {}
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// None: there is no value to call this on.
    pub fn lock(&self, _timeout: Duration) -> Result<Guard<'_>, LockError> {
        match self.0 {}
    }

    /// What tells this file from all others of the host, as long as it exists.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        match self.0 {}
    }

    /// The number of the user who owned the file.
    #[must_use]
    pub fn owner(&self) -> u32 {
        match self.0 {}
    }

    /// Whether the file may be one that was made with these permissions by somebody whom they let write it.
    #[must_use]
    pub fn may_be_from(&self, _mode: u32) -> bool {
        match self.0 {}
    }

    /// Whether the file was removed, or another put in its place.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self.0 {}
    }
}

impl Guard<'_> {
    /// Whether dropping this still unlocks anything.
    #[must_use]
    pub fn is_held(&self) -> bool {
        match self.0 {}
    }
}

fn unsupported(path: &Path) -> OpenError {
    let message =
        "mapped files work on 64-bit Linux, and this is another system: keep this elsewhere, in a database for example";
    OpenError::new(OpenErrorKind::Unsupported, path, message)
}
