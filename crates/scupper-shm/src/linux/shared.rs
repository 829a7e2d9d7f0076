use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

use super::file::{Opened, could_not_open};
use super::guard::Guard;
use super::lock_word;
use super::maker;
use super::mapping::Mapping;
use super::seating::{self, Seating, Ticket};
use crate::{LockError, OpenError};

/// One opening of a file that processes map and lock together.
///
/// Threads share one by reference. A process may open a file several times; the lock is one for all of them, and a thread that
/// locks what it has locked waits for itself until the timeout.
///
/// # Forks and other programs
/// A forked child may go on using what its parent opened: it takes a seat of its own when it first locks. What the parent's
/// threads hold stays theirs. Another program that is started inherits nothing.
///
/// A process that gives up its right to the file, as a service does that begins as the administrator and goes on as another user,
/// may go on with what it has open, but can take the lock from no dead one, and a child of it has no seat: let it change first and
/// open then.
///
/// # Who removes the file
/// Nobody here does. A file that is removed or renamed lives on for those who have it open, and those who then open or create at
/// its path have another: [`is_gone`](Self::is_gone) tells.
///
/// # Examples
/// ```
/// use scupper_shm::Shared;
/// use std::sync::atomic::Ordering::Relaxed;
/// use std::time::Duration;
///
/// # let folder = std::env::temp_dir().join(format!("scupper-shm-example-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("counter");
/// let shared = Shared::create(&path, 1, 0o600, |words| words[0].store(41, Relaxed))?;
/// {
///     let _guard = shared.lock(Duration::from_secs(1))?;
///     shared.words()[0].store(shared.words()[0].load(Relaxed) + 1, Relaxed);
/// }
/// let other = Shared::open(&path)?.expect("it was made above");
/// assert_eq!(other.words()[0].load(Relaxed), 42);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Shared {
    mapping: Mapping,
    seating: Arc<Seating>,
    opened: Opened,
}

impl Shared {
    /// Opens a file that [`create`](Self::create) has made, following symbolic links. None if there is no file at this path, and
    /// one could be made.
    ///
    /// # Errors
    /// If what is there is no such file, or one that was damaged, or may not be read and written: [`OpenErrorKind`] lists it all.
    /// What is there is never changed.
    ///
    /// [`OpenErrorKind`]: crate::OpenErrorKind
    pub fn open(path: &Path) -> Result<Option<Self>, OpenError> {
        let Some(opened) = Opened::existing(path)? else { return Ok(None) };
        let geometry = opened.geometry()?;
        let mapping = Mapping::new(opened.as_fd(), geometry).map_err(|errno| could_not_open(path, errno))?;
        Ok(Some(Self::new(mapping, opened)))
    }

    /// Makes a file of `words` words, which are zero before `init` sees them, and opens it.
    ///
    /// It is put in place when it is complete, and in the place of nothing else; a maker that dies before leaves no file at this
    /// path. All its blocks are set aside: later, a full disk is in nobody's way.
    ///
    /// `mode` is who may read and write it, such as `0o600` for this user alone or `0o660` for a group too; the process's mask
    /// (`umask`) does not narrow it. Others get a clear error. Whoever may write the file can hold its lock and change its
    /// words, so give that to nobody whom you would not let decide.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::OpenErrorKind::AlreadyExists) if there is a file by now: then open it.
    /// [`Invalid`](crate::OpenErrorKind::Invalid) if the file would be longer than 1 TiB, or `mode` is more than `0o777` or keeps
    /// out its owner. Else whatever keeps this user from making a file there.
    pub fn create(path: &Path, words: usize, mode: u32, init: impl FnOnce(&[AtomicU64])) -> Result<Self, OpenError> {
        let (opened, mapping) = maker::make(path, words, mode, init)?;
        Ok(Self::new(mapping, opened))
    }

    fn new(mapping: Mapping, opened: Opened) -> Self {
        Self { mapping, seating: Arc::default(), opened }
    }

    /// The words that all who have the file open share, as many as it was made with.
    ///
    /// They may be read and written without the lock, each for itself; what must fit together needs it. Under the lock,
    /// [`Relaxed`](std::sync::atomic::Ordering::Relaxed) is enough.
    #[must_use]
    #[inline]
    pub fn words(&self) -> &[AtomicU64] {
        self.mapping.words()
    }

    /// Waits for the lock, at most as long as `timeout` on the monotonic clock.
    ///
    /// If the owner has died, its lock is taken over after some milliseconds, with what was left half done: see to that after each
    /// lock. An owner that is merely slow, or was stopped, keeps it.
    ///
    /// # Errors
    /// If the lock was not obtained: [`LockError`] says why.
    #[inline]
    pub fn lock(&self, timeout: Duration) -> Result<Guard<'_>, LockError> {
        let ticket = self.ticket();
        if let Some(me) = ticket.owner()
            && lock_word::try_take(self.lock_word(), me)
        {
            return Ok(Guard::new(self, ticket));
        }
        self.lock_or_wait(timeout)
    }

    #[cold]
    fn lock_or_wait(&self, timeout: Duration) -> Result<Guard<'_>, LockError> {
        // One too far away to be a time is none.
        let deadline = Instant::now().checked_add(timeout);
        let (word, mut ticket) = (self.lock_word(), self.ticket());
        if ticket.owner().is_none() {
            ticket = self.seating.sit(&self.opened, word)?;
        }
        let me = ticket.owner().ok_or(LockError::NoSeat)?;
        let left = || deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        lock_word::take(word, me, left, |owner| seating::take_over(&self.opened, word, owner, me))?;
        Ok(Guard::new(self, ticket))
    }

    /// What tells this file from all others of this host as long as it exists: its device and its number there.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        self.opened.identity()
    }

    /// The number of the user who owned the file when it was opened.
    #[must_use]
    pub fn owner(&self) -> u32 {
        self.opened.access().user()
    }

    /// Whether the file may be one that was made with these permissions by somebody whom they let write it. Whoever makes a file
    /// in a folder that all may write, such as `/dev/shm`, sets a trap for others or is one of them: they know by this.
    ///
    /// It may if the administrator owned it when it was opened, or the user as whom this process acts; if `mode` lets everybody
    /// write; or if it lets a group write, and this process is in the group of the file, which nobody else may write.
    #[must_use]
    pub fn may_be_from(&self, mode: u32) -> bool {
        self.opened.access().can_be_of(mode)
    }

    /// Whether the file was removed, or another put in its place, since it was opened: those who open at its path now have
    /// another, or none. A look takes about a microsecond.
    ///
    /// That the path leads nowhere is no sign of it as long as the file has a name: a process may have changed its root. One that
    /// has closed the descriptors of what it has open sees only that another is there.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.opened.is_gone()
    }

    #[inline]
    pub(super) fn ticket(&self) -> Ticket {
        self.seating.ticket()
    }

    #[inline]
    pub(super) fn lock_word(&self) -> &AtomicU32 {
        self.mapping.lock_word()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.seating.leave();
    }
}
