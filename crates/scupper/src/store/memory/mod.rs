//! Buckets in the memory of this process.

mod clock;

mod pinned;

mod shard;

mod sweep;

mod table;

mod housekeeping;

mod handle;

mod store;

pub(crate) use handle::Handle;
pub use store::{MemoryStore, MemoryStoreBuilder};
