//! Buckets in the memory of this process.

mod clock;

mod pinned;

mod shard;

mod table;

mod handle;

mod store;

pub(crate) use handle::Handle;
pub use store::{MemoryStore, MemoryStoreBuilder};
