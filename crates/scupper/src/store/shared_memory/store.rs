use std::fmt;
use std::time::{Duration, Instant};

use crate::error::ErrorKind;
use crate::quota::Quota;
use crate::rate::Rate;
use crate::store::batch::Batch;
use crate::store::contract::Store;
use crate::store::outcome::Verdict;
use crate::store::shared_memory::counter::Counter;
use crate::store::shared_memory::job::Job;
use crate::store::shared_memory::mapped::Mapped;
use crate::store::shared_memory::progress::Progress;
use crate::store::submission::Submission;
use crate::sync::Arc;

/// Buckets in memory that processes of one host share, by way of a mapped file: one limit for all of them, with no server and
/// at the speed of memory.
///
/// | URL | what is there |
/// |---|---|
/// | `shm:name` | the file `/dev/shm/scupper-name`, in memory: gone with the next boot |
/// | `shm:/path/to/file`, `shm:./file` | that file; on a disk, it outlives a boot that was shut down properly |
///
/// | option | meaning | unless set |
/// |---|---|---|
/// | `size=64MiB` | how large the file is made, 64 KiB to 1 TiB; it never grows | 16 MiB |
/// | `mode=660` | the permissions it is made with: who may write it may use it, and change any limit in it | 600 |
/// | `timeout=2s` | how long to wait for the lock | 500 ms |
///
/// # The file
/// Whoever comes first makes it; two at once have the same. Its size is that of the first: who asks for another gets an
/// error, who asks for none takes what is there. Nobody removes it but you. If it is removed or replaced while a store is open,
/// that is noticed within a second, and from then on requests get [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable)
/// until the store is opened anew: those who come later have another limit. Never make it shorter while it is in use, as a
/// process that touches what is gone ends with `SIGBUS`. It must lie on this host, not on a file system of the network.
///
/// A bucket with one rate and a key of up to 72 bytes takes 256 bytes, and under the sliding window log another 128 for up to 7
/// admissions in the longest window, then 16 for each, in blocks whose sizes are powers of two; those of one microsecond are
/// one. So 16 MiB hold some 40,000 keys of a few admissions each; one log can take a quarter of the file. A bucket that owes
/// nothing stays until its room is wanted. If there is no room for another, or for a log to grow, a request gets
/// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity).
///
/// # Who may use it
/// Whoever may write the file, by its permissions. As anybody may make a file in `/dev/shm`, one that is there by the name that
/// was asked for is taken only if root has made it or this user; or if `mode` says that others may write it: with `mode=660`
/// those of a group that the file and this process are in, with `mode=666` anybody. So users that share one by name say so, each
/// of them. A path is taken as it is: whoever may write its folder decides.
///
/// # What goes wrong
/// A process may be killed at any instruction: the next one undoes what was half done. One that is stopped in the middle of a
/// decision keeps the lock; others get [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) after their timeout, and nothing
/// was taken. What something else has written into the file gives [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) where it
/// shows. A loss of power may leave a file on a disk in any state.
///
/// Time is the host's: one clock for all processes, which goes on while the machine sleeps, and over a reboot by the wall
/// clock. Clones, and openings of one file in one process, share their lines of waiting requests. A child after a fork may
/// go on with what it has inherited. It works on 64-bit Linux; elsewhere, opening is an error of kind
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
///
/// # Examples
/// ```
/// use scupper::{Limiter, SharedMemoryStore};
///
/// # let url = format!("shm:example-{}?size=1MiB", std::process::id());
/// # let url = url.as_str();
/// # stringify!(
/// let url = "shm:limits?size=1MiB";
/// # );
/// let store = SharedMemoryStore::open(url)?;
/// let limiter = Limiter::builder().rates(["5/s".parse()?, "1000/h".parse()?]).store(store).build()?;
/// if limiter.try_acquire("user:42")?.is_admitted() {
///     println!("one of five in this second, whichever process asks");
/// }
/// # std::fs::remove_file(format!("/dev/shm/scupper-example-{}", std::process::id())).unwrap();
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone)]
pub struct SharedMemoryStore {
    mapped: Arc<Mapped>,
    lock_within: Duration,
}

impl SharedMemoryStore {
    /// The thread that asks waits no longer than this, nor looks for room or through a list; with the lock's owner on another
    /// core, it takes less than a microsecond.
    const AT_ONCE: Duration = Duration::from_millis(1);
    const FOREVER: Duration = Duration::from_hours(24 * 365);

    pub(super) fn new(mapped: Arc<Mapped>, lock_within: Duration) -> Self {
        Self { mapped, lock_within }
    }

    /// Where more is to be done than a look at the bucket, for example to make it.
    #[cold]
    #[inline(never)]
    fn acquire_at_length(&self, name: (u64, &str), quota: &Quota, weight: u64) -> Option<Verdict> {
        let within = Self::AT_ONCE.min(self.lock_within);
        self.mapped.locked(within, |keeper| Ok(keeper.acquire_at_length(name, quota, weight))).ok().flatten()
    }

    /// Has another thread carry out what is left of it.
    #[inline(never)]
    fn wait_elsewhere(&self, batch: Batch<'_>, progress: Progress, until: Instant) -> Submission {
        let (job, awaited) = Job::new(batch, progress, until);
        let mapped = Arc::clone(&self.mapped);
        let work = move |job: Job| {
            job.work(|operations, progress, until| {
                let first = until.saturating_duration_since(Instant::now());
                let counter = Counter { mapped: &mapped, first, until };
                if let Err(error) = counter.carry_on(operations, progress) {
                    counter.give_up(operations, progress, &error);
                }
            })
        };
        match self.mapped.helper.take(job, work) {
            Ok(()) => Submission::Pending(Box::pin(awaited)),
            Err(refused) => {
                let mut progress = refused.job.into_progress();
                let counter = Counter { mapped: &self.mapped, first: Duration::ZERO, until };
                counter.give_up(batch.operations(), &mut progress, &refused.error);
                Submission::Ready(progress.outcomes)
            }
        }
    }
}

impl Store for SharedMemoryStore {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let (mapped, now) = (&*self.mapped, Instant::now());
        // One too far away to be a time is none.
        let until = now.checked_add(self.lock_within).unwrap_or(now + Self::FOREVER);
        if let Err(gone) = mapped.look() {
            return Submission::failed(batch, &gone);
        }
        let mut progress = Progress::default();
        if mapped.helper.is_idle() {
            let first = Self::AT_ONCE.min(self.lock_within);
            let counter = Counter { mapped, first, until: now + first };
            match counter.carry_on(batch.operations(), &mut progress) {
                Ok(()) => return Submission::Ready(progress.outcomes),
                Err(error) if error.kind() != ErrorKind::Unavailable || first == self.lock_within => {
                    counter.give_up(batch.operations(), &mut progress, &error);
                    return Submission::Ready(progress.outcomes);
                }
                Err(_) => {}
            }
        }
        self.wait_elsewhere(batch, progress, until)
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.mapped).addr()
    }

    #[inline]
    fn acquire_at_once(&self, key: &str, quota: &Quota, weight: u64) -> Option<Verdict> {
        // Both take as long as all the rest, and others need not wait for them.
        let (hash, since_boot) = (self.mapped.hash(key), self.mapped.since_boot());
        if !(1..=Rate::MAX_LIMIT).contains(&weight)
            || !self.mapped.helper.is_idle()
            || self.mapped.is_look_due(since_boot)
        {
            return None;
        }
        let within = Self::AT_ONCE.min(self.lock_within);
        let mut verdict = None;
        let done = self.mapped.locked(within, |keeper| {
            verdict = keeper.acquire(since_boot, (hash, key), quota, weight)?;
            Ok(())
        });
        if done.is_ok() && verdict.is_none() { self.acquire_at_length((hash, key), quota, weight) } else { verdict }
    }
}

impl fmt::Debug for SharedMemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mapped, lock_within } = self;
        f.debug_struct("SharedMemoryStore").field("mapped", mapped).field("lock_within", lock_within).finish()
    }
}
