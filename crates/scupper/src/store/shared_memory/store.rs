use std::fmt;
use std::time::Duration;

use crate::quota::Quota;
use crate::rate::Rate;
use crate::store::batch::{Action, Batch, Operation};
use crate::store::contract::Store;
use crate::store::line::Line;
use crate::store::outcome::{Outcome, Reply, Verdict};
use crate::store::shared_memory::keeper::Keeper;
use crate::store::shared_memory::list::Listing;
use crate::store::shared_memory::mapped::Mapped;
use crate::store::submission::{Outcomes, Submission};
use crate::sync::{Arc, MappedWord};

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
/// error, who asks for none takes what is there. Nobody removes it. Deleted, it lives on among those who have it open,
/// and who comes later makes another: two limits. Never make it shorter while it is in use, as a process that touches
/// what is gone ends with `SIGBUS`. It must lie on this host, not on a file system of the network.
///
/// A bucket with one rate and a key of up to 72 bytes takes 256 bytes, and under the sliding window log another 128 for up to 7
/// admissions in the longest window, then 16 for each, in blocks whose sizes are powers of two; those of one microsecond are
/// one. So 16 MiB hold some 40,000 keys of a few admissions each; one log can take a quarter of the file. A bucket that owes
/// nothing stays until its room is wanted. If there is no room for another, or for a log to grow, a request gets
/// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity).
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
    /// A decision that is asked for at once waits no longer than this; with the lock's owner on another core, it takes less than
    /// a microsecond.
    const AT_ONCE: Duration = Duration::from_millis(1);

    pub(super) fn new(mapped: Arc<Mapped>, lock_within: Duration) -> Self {
        Self { mapped, lock_within }
    }

    fn decide(&self, operation: &Operation<'_>) -> Outcome {
        if let Action::List { after, most } = operation.action {
            return self.list(Listing::new(operation.key, after, most));
        }
        let hash = self.mapped.hash(operation.key);
        self.mapped.locked(self.lock_within, |keeper| self.apply(keeper, hash, operation))
    }

    /// Where more is to be done than a look at the bucket, for example to make it.
    #[cold]
    #[inline(never)]
    fn acquire_at_length(&self, name: (u64, &str), quota: &Quota, weight: u64) -> Option<Verdict> {
        let within = Self::AT_ONCE.min(self.lock_within);
        self.mapped.locked(within, |keeper| Ok(keeper.acquire_at_length(name, quota, weight))).ok().flatten()
    }

    fn apply(&self, keeper: &Keeper<'_, [MappedWord]>, hash: u64, operation: &Operation<'_>) -> Outcome {
        keeper.apply(hash, operation).map_err(|error| self.mapped.named(error))
    }

    fn list(&self, mut listing: Listing<'_>) -> Outcome {
        loop {
            let page = self.mapped.locked(self.lock_within, |keeper| listing.go_on(keeper));
            if let Some(page) = page.map_err(|error| self.mapped.named(error))? {
                return Ok(Reply::Listed(page));
            }
        }
    }

    /// One lock for all of a run, so that nothing comes between.
    fn decide_run<'a>(&self, run: &'a [Operation<'a>], line: &mut Line<'a>, outcomes: &mut Outcomes) {
        let [first, _, ..] = run else {
            return outcomes.extend(run.iter().map(|operation| line.pass(operation, || self.decide(operation))));
        };
        let hash = self.mapped.hash(first.key);
        let done = self.mapped.locked(self.lock_within, |keeper| {
            outcomes.extend(run.iter().map(|operation| line.pass(operation, || self.apply(keeper, hash, operation))));
            Ok(())
        });
        if let Err(error) = done {
            outcomes.extend(run.iter().map(|_| Err(error.again())));
        }
    }
}

impl Store for SharedMemoryStore {
    #[inline]
    fn submit(&self, batch: Batch<'_>) -> Submission {
        if let [operation] = batch.operations() {
            return Submission::ready(self.decide(operation));
        }
        let (mut line, mut outcomes) = (Line::default(), Outcomes::new());
        batch.runs().for_each(|run| self.decide_run(run, &mut line, &mut outcomes));
        Submission::Ready(outcomes)
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.mapped).addr()
    }

    #[inline]
    fn acquire_at_once(&self, key: &str, quota: &Quota, weight: u64) -> Option<Verdict> {
        // Both take as long as all the rest, and others need not wait for them.
        let (hash, since_boot) = (self.mapped.hash(key), self.mapped.since_boot());
        if !(1..=Rate::MAX_LIMIT).contains(&weight) {
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
