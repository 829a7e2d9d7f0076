//! Where buckets live, and what is asked of such a place.

mod outcome;

mod batch;

mod bucket;

mod line;

mod submission;

mod contract;

mod memory;

#[cfg(any(feature = "postgres", feature = "sqlite", feature = "shared-memory"))]
mod asked;

#[cfg(any(feature = "sqlite", feature = "shared-memory"))]
mod host_clock;

#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
mod percent;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod answers;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod pause;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod tls;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod wire;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod io;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod started;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod coalesce;

#[cfg(feature = "postgres")]
mod postgres;

#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "shared-memory")]
mod shared_memory;

#[cfg(feature = "sqlite")]
mod sqlite;

mod open;

pub use batch::{Action, Batch, Operation, Standing};
pub use bucket::BucketState;
pub(crate) use bucket::{check_time, check_units};
pub use contract::{PinnedBucket, Store};
pub use line::Line;
pub(crate) use memory::Handle as MemoryHandle;
pub use memory::{MemoryStore, MemoryStoreBuilder};
pub use open::{connect, connect_blocking, open};
pub use outcome::{Admission, Cause, Cursor, Denial, Outcome, Page, Reply, Snapshot, Usage, Verdict};
#[cfg(feature = "postgres")]
#[doc(hidden)]
pub use postgres::{Applied as PostgresApplied, PostgresScript};
#[cfg(feature = "postgres")]
pub use postgres::{Durability, PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "redis")]
pub use redis::{RedisCall, RedisContents, RedisStore, RedisStoreBuilder};
#[cfg(feature = "shared-memory")]
pub use shared_memory::{SharedMemoryStore, SharedMemoryStoreBuilder};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteStore, SqliteStoreBuilder};
pub(crate) use submission::unexpected;
pub use submission::{Outcomes, Submission, SubmissionFuture};
