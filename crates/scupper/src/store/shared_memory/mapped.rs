use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scupper_shm::{LockError, OpenError, OpenErrorKind, Shared};
use siphasher::sip::SipHasher13;

use crate::error::{Error, ErrorKind, Result};
use crate::fork::Section;
use crate::store::host_clock::{Anchor, Host};
use crate::store::shared_memory::geometry::Geometry;
use crate::store::shared_memory::header::Header;
use crate::store::shared_memory::helper::Helper;
use crate::store::shared_memory::keeper::Keeper;
use crate::store::shared_memory::settings::Settings;
use crate::sync::{Arc, AtomicU64, MappedWord, Ordering, StaticMutex, Weak, lock_static};

/// A mapped file.
pub(super) struct Mapped {
    shared: Shared,
    geometry: Geometry,
    hasher: SipHasher13,
    host: Box<dyn Host>,
    path: PathBuf,
    /// Who waits for the lock elsewhere.
    pub(super) helper: Arc<Helper>,
    /// When all of the table was last found to owe something, in microseconds since the boot.
    full_at: AtomicU64,
    /// When it was last seen that the path leads here, in microseconds since the boot.
    looked_at: AtomicU64,
}

/// What this process has open, so that who opens a file again shares it, and stands in the same lines.
static OPEN: StaticMutex<Vec<Weak<Mapped>>> = StaticMutex::new(Vec::new());

impl Mapped {
    /// So often a file is looked for and made where others make and remove it at the same time.
    const TRIES: usize = 16;
    /// How long it may stay unnoticed that the file was removed or another put in its place, in microseconds.
    const LOOK_EVERY: u64 = 1_000_000;

    /// The file at this path, made if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for what cannot be opened as it was asked for, [`ErrorKind::Corrupt`] for a file that is
    /// none of ours, [`ErrorKind::Unavailable`] where the system refuses, [`ErrorKind::Unsupported`] elsewhere than on Linux.
    pub(super) fn open(path: &Path, settings: Settings, host: Box<dyn Host>) -> Result<Arc<Self>> {
        let words = Geometry::words_of(settings.size.unwrap_or(Settings::SIZE))?;
        let shared = Self::open_or_create(path, words, settings.mode.unwrap_or(Settings::MODE), &*host)?;
        let mapped = Self::known_or_new(path, shared, host)?;
        if settings.size.is_some() && words != mapped.geometry.words {
            let (is, asked) = (mapped.geometry.bytes(), words * 8);
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "{}: the shared memory is there and has {is} bytes, not {asked}: its size is that with which it was made; \
                     ask for no size, or delete the file once no process has it open",
                    path.display()
                ),
            ));
        }
        Ok(mapped)
    }

    /// What this process has of this file already, or else what becomes of it.
    fn known_or_new(path: &Path, shared: Shared, host: Box<dyn Host>) -> Result<Arc<Self>> {
        let helper = Helper::new()?;
        // Not to be dropped within the section: each might be the last of its file by then.
        let mut all = Vec::new();
        let _section = Section::enter();
        let mut open = lock_static(&OPEN);
        open.retain(|mapped| mapped.strong_count() > 0);
        all.extend(open.iter().filter_map(Weak::upgrade));
        if let Some(same) = all.iter().find(|mapped: &&Arc<Self>| mapped.shared.identity() == shared.identity()) {
            return Ok(Arc::clone(same));
        }
        let Header { geometry, secret } = Header::read(shared.words()).map_err(|error| named(path, &error))?;
        let hasher = SipHasher13::new_with_keys(secret[0], secret[1]);
        let (path, full_at, looked_at) = (path.to_owned(), AtomicU64::new(0), AtomicU64::new(host.since_boot()));
        let mapped = Arc::new(Self { shared, geometry, hasher, host, path, helper, full_at, looked_at });
        open.push(Arc::downgrade(&mapped));
        Ok(mapped)
    }

    fn open_or_create(path: &Path, words: u64, mode: u32, host: &dyn Host) -> Result<Shared> {
        let anchor = Anchor::first(host)?;
        let random = RandomState::new();
        let secret = [random.hash_one(0), random.hash_one(1)];
        let length = usize::try_from(words).unwrap_or(usize::MAX);
        let mut tries = 0;
        loop {
            if let Some(shared) = Shared::open(path).map_err(|error| not_opened(&error))? {
                return Ok(shared);
            }
            let created =
                Shared::create(path, length, mode, |words: &[MappedWord]| Header::format(words, secret, anchor));
            match created {
                Err(error) if error.kind() == OpenErrorKind::AlreadyExists && tries < Self::TRIES => tries += 1,
                _ => return created.map_err(|error| not_opened(&error)),
            }
        }
    }

    /// Microseconds since the boot. It takes no lock.
    #[inline(always)]
    pub(super) fn since_boot(&self) -> u64 {
        self.host.since_boot()
    }

    /// The keyed hash of a key. It takes no lock.
    #[inline(always)]
    pub(super) fn hash(&self, key: &str) -> u64 {
        self.hasher.hash(key.as_bytes())
    }

    /// Whether it is time to [`look`](Self::look).
    #[inline(always)]
    pub(super) fn is_look_due(&self, since_boot: u64) -> bool {
        since_boot.saturating_sub(self.looked_at.load(Ordering::Relaxed)) >= Self::LOOK_EVERY
    }

    /// Looks once in a while whether the path leads here.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if it does not: who opens it now counts elsewhere.
    pub(super) fn look(&self) -> Result<()> {
        let now = self.since_boot();
        if !self.is_look_due(now) {
            return Ok(());
        }
        if self.shared.is_gone() {
            let what = "the file of the shared memory was removed, or another put in its place, and those who open it now have \
                        another limit; open the store anew";
            return Err(Error::new(ErrorKind::Unavailable, format!("{}: {what}", self.path.display())));
        }
        self.looked_at.store(now, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a file in a folder that all may write can be one of those who use it with this mode.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if it is another user's.
    pub(super) fn must_be_from(&self, mode: u32) -> Result<()> {
        if self.shared.may_be_from(mode) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "{}: the shared memory was made by the user {}, and whoever can write it can change its limits: to share it \
                 with those of a group, let all say mode=660, with anybody, mode=666; or name a path in a folder of your own",
                self.path.display(),
                self.shared.owner()
            ),
        ))
    }

    /// Works under the lock, if it is free within this time.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if it is not; then nothing was done.
    #[inline(always)]
    pub(super) fn locked<T>(
        &self,
        within: Duration,
        work: impl FnOnce(&Keeper<'_, [MappedWord]>) -> Result<T>,
    ) -> Result<T> {
        let guard = match self.shared.lock(within) {
            Ok(guard) => guard,
            Err(error) => return Err(self.not_locked(&error)),
        };
        let done = work(&Keeper { words: self.shared.words(), geometry: self.geometry, host: &*self.host });
        drop(guard);
        done
    }

    /// In so many pieces all of the table can be swept; none if that was in vain a short while ago.
    pub(super) fn pieces_to_sweep(&self) -> u64 {
        const AGAIN_AFTER: u64 = 1_000_000;
        let full_at = self.full_at.load(Ordering::Relaxed);
        let is_known_full = full_at > 0 && self.host.since_boot().saturating_sub(full_at) < AGAIN_AFTER;
        if is_known_full { 0 } else { self.geometry.chains.div_ceil(Keeper::<[MappedWord]>::CHAINS_FOR_ROOM) }
    }

    /// All of the table was swept, and there is no room yet.
    pub(super) fn note_full(&self) {
        self.full_at.store(self.host.since_boot(), Ordering::Relaxed);
    }

    /// What takes many pieces was not done in time.
    #[cold]
    pub(super) fn late(&self) -> Error {
        let what = "the shared memory is large, and to look through it took longer than the store's timeout; nothing was taken: \
                    ask again, or give it more time, like timeout=2s";
        Error::new(ErrorKind::Unavailable, format!("{}: {what}", self.path.display()))
    }

    /// The error once more, and of which file it speaks.
    #[cold]
    pub(super) fn named(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Capacity => named(&self.path, &error),
            _ => error,
        }
    }

    #[cold]
    fn not_locked(&self, error: &LockError) -> Error {
        let path = self.path.display();
        let (kind, what) = match error {
            LockError::TimedOut => (
                ErrorKind::Unavailable,
                format!(
                    "{path}: the shared memory stayed locked for as long as the store's timeout; a process that was stopped \
                     in the middle of a decision keeps it until it goes on or ends"
                ),
            ),
            LockError::Damaged => (ErrorKind::Corrupt, format!("{path}: {error}")),
            _ => (ErrorKind::Unavailable, format!("{path}: {}", with_cause(error))),
        };
        Error::new(kind, what)
    }
}

#[cold]
fn named(path: &Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("{}: {}", path.display(), error.message()))
}

/// What it says and what caused it: all in one sentence, and so nothing is left for a source to say.
#[cold]
fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    }
}

#[cold]
fn not_opened(error: &OpenError) -> Error {
    let kind = match error.kind() {
        OpenErrorKind::Unsupported => ErrorKind::Unsupported,
        OpenErrorKind::Invalid
        | OpenErrorKind::NoFolder
        | OpenErrorKind::NoPermission
        | OpenErrorKind::ReadOnly
        | OpenErrorKind::Folder
        | OpenErrorKind::NotAFile
        | OpenErrorKind::DanglingLink
        | OpenErrorKind::Empty
        | OpenErrorKind::TooShort
        | OpenErrorKind::Foreign => ErrorKind::InvalidConfig,
        OpenErrorKind::Version | OpenErrorKind::Damaged | OpenErrorKind::Length => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("the shared memory cannot be opened: {}", with_cause(error)))
}

impl fmt::Debug for Mapped {
    /// Without the secret of the hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped")
            .field("path", &self.path)
            .field("bytes", &self.geometry.bytes())
            .finish_non_exhaustive()
    }
}
