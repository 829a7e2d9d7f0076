//! The peers, one file each: how a limit is put to it, and how it is asked.

pub(crate) mod governor;
pub(crate) mod insert;
pub(crate) mod leaky_bucket;
pub(crate) mod ping;
pub(crate) mod rate_net;
pub(crate) mod ratelimit;
pub(crate) mod select;
pub(crate) mod table_lock;
pub(crate) mod throttlecrab;
