use std::time::Duration;

use crate::store::coalesce::Bounds;

/// What a decision waits for before it is answered.
///
/// # Examples
/// ```
/// use scupper::{Durability, PostgresStore};
///
/// let store = PostgresStore::builder("postgres://localhost/app").durability(Durability::Relaxed).open()?;
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Until it is on the server's disk, and on those of its synchronous standbys where it has any: `synchronous_commit` is at
    /// least `on`. A crash of the server forgets nothing.
    #[default]
    Strict,
    /// For nothing: `synchronous_commit` is `off`. A crash of the server can forget what was decided within the last
    /// `wal_writer_delay`, three times over (by default 0.6 s); it damages nothing.
    Relaxed,
}

/// How a store in Postgres is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) durability: Durability,
    /// Connections at the most.
    pub(super) pool: usize,
    /// How long making a connection may take, all of it.
    pub(super) connect_within: Duration,
    /// After this time without an answer, a connection is given up.
    pub(super) answer_within: Duration,
    /// How long the server waits for another transaction that has a bucket.
    pub(super) lock_within: Duration,
    /// How long a request waits for a connection that is free.
    pub(super) patience: Duration,
    /// Operations in a call.
    pub(super) operations: usize,
}

impl Settings {
    /// For what goes together into one call.
    pub(super) const fn bounds(&self) -> Bounds {
        Bounds { calls: self.pool, operations: self.operations, waiting: 65_536, patience: self.patience }
    }

    /// For what goes into a call of its own.
    pub(super) const fn bounds_one_by_one(&self) -> Bounds {
        Bounds { operations: 1, ..self.bounds() }
    }

    /// How long the server works on a statement: so that it says that nothing was done before it is given up.
    pub(super) fn statement_within(&self) -> Duration {
        self.answer_within * 4 / 5
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::Strict,
            pool: 8,
            // Below the second that a call may take by default, so that there is a reason to tell when it ends.
            connect_within: Duration::from_millis(750),
            answer_within: Duration::from_secs(5),
            lock_within: Duration::from_millis(500),
            patience: Duration::from_millis(500),
            operations: 512,
        }
    }
}
