use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::store::batch::Batch;
use crate::store::contract::Store;
use crate::store::sqlite::awaited::Awaited;
use crate::store::sqlite::file::Submitted;
use crate::store::sqlite::files::Shared;
use crate::store::submission::Submission;
use crate::sync::Arc;

/// Buckets in an `SQLite` file: one limit for all processes of a host, with no server.
///
/// A decision is one transaction. Whoever finds the file free carries it out itself, on its own thread; what others of this
/// process ask for meanwhile goes together into the next one. No runtime is needed, and any will do. Time is the host's: it goes
/// on while the machine sleeps, whatever happens to the wall clock; a reboot is bridged by the wall clock, and never goes back.
///
/// # The file
/// It is made by the first store that is opened on it, whole or not at all, with the permissions that the process's umask leaves
/// to new files; its folder must be there. `SQLite` keeps two more files beside it, of the same name with `-wal` and `-shm` at the
/// end: whoever uses the store must be allowed to write the file and its folder. Nobody removes the file but you. If it is
/// removed or replaced while a store is open, that is noticed within a second: what was in it is forgotten, and the store goes
/// on with the file that is there then, or makes a new one.
///
/// Several paths to one file, relative or by symbolic links, are one store. A hard link is refused, as `SQLite` would not see by
/// one name what was written by the other. The database of another program, or of another version of this library, is refused and
/// left as it is. File systems of the network are refused where the system tells that a folder lies on one: their locks cannot be
/// trusted.
///
/// # What can be forgotten
/// A process that is killed, at any instant, leaves all as it was before its transaction or after it. A power loss or a crash of
/// the system can forget the last transactions, as they are not waited for to reach the disk (`synchronous=NORMAL`); it damages
/// nothing.
///
/// # Waiting
/// If another process has the file, requests wait for it, up to the store's [timeout](super::SqliteStoreBuilder::timeout), and then
/// fail with [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable): nothing was taken. Where 65,536 requests of this process
/// wait already, another one fails with [`ErrorKind::Capacity`](crate::ErrorKind::Capacity). That is never a denial. A file that
/// could not be written to the end of a transaction gives [`ErrorKind::Unknown`](crate::ErrorKind::Unknown), and is not written
/// again.
///
/// # Settings of a limiter
/// A request that finds the file free is answered at once. What a limiter sets for remote stores is for those that wait, for
/// another thread or another process:
/// - [`call_timeout`](crate::LimiterBuilder::call_timeout), a second unless set: have it longer than the store's timeout, which
///   ends the wait with the certainty that nothing was taken. Where the call's passes first, that is
///   [`ErrorKind::Unknown`](crate::ErrorKind::Unknown). Neither ends a write that the disk does not end.
/// - [`denial_cache`](crate::LimiterBuilder::denial_cache): a denial that was waited for is believed for so long, without another
///   look at the file. What another process gives back meanwhile is seen so much later.
///
/// [`on_outage`](crate::LimiterBuilder::on_outage) is for all requests.
///
/// # Housekeeping
/// Buckets that owe nothing leave by themselves within seconds while a process has the file open. What leaves makes room in the
/// file for what comes.
///
/// Processes may fork while a store is open: parent and child both go on with it.
///
/// # Examples
/// ```
/// use scupper::{Limiter, SqliteStore};
///
/// # let folder = std::env::temp_dir().join(format!("scupper-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("limits.db");
/// let store = SqliteStore::open(&path)?;
/// let limiter = Limiter::builder().rates(["5/s".parse()?, "1000/h".parse()?]).store(store).build()?;
/// if limiter.try_acquire("user:42")?.is_admitted() {
///     println!("one of five in this second, whichever process asks");
/// }
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    timeout: Duration,
}

impl SqliteStore {
    pub(super) fn on(shared: Arc<Shared>, timeout: Duration) -> Self {
        Self { shared, timeout }
    }

    /// Where the file is, from the root on.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.0.path
    }
}

impl Store for SqliteStore {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        match self.shared.0.submit(batch, self.timeout) {
            Submitted::Done(outcomes) => Submission::Ready(outcomes),
            Submitted::Waits(answer) => Submission::Pending(Box::pin(Awaited::new(answer, Arc::clone(&self.shared)))),
        }
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
