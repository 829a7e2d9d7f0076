//! The native half of the Python package: decisions, waits and the clock.
//!
//! | what | where |
//! |---|---|
//! | what a fork waits for | `fork` |
//! | the clock that Python reads, with alarms | `clock` |
//! | one bucket, and who decides on it | `store` |
//! | who took what | `labels` |
//! | decisions and looks as numbers | `judged` |
//! | a bucket as plain objects | `dump` |
//! | what is raised | `errors` |
//! | arguments as they are given | `argument` |
//! | a place in line, and work that goes on by itself | `turn`, `errand` |
//! | waiting for it on a thread or in an event loop | `bell`, `loop_bell`, `waiter` |
//! | stores by URL, and who decides for the buckets in them | `stores`, `options`, `place`, `on_store`, `housekeeping` |
//! | what to ask Postgres over a user's own connections | `postgres_call` |
//! | what Python sees | `bucket`, `store_bucket`, `course`, `limiter` |
//! | what a client of the user's sends to Redis | `redis_call` |
//!
//! Whatever is locked here is locked by a thread that has the interpreter, and never while it runs Python code; the state of a
//! bucket alone is also locked by the thread that serves those who wait, within a section that a fork waits for.

mod fork;

mod clock;

mod errors;

mod millis;

mod argument;

mod labels;

mod judged;

mod quota;

mod kept;

mod store;

mod turn;

mod decider;

mod dump;

mod bell;

mod errand;

mod loop_bell;

mod waiter;

mod stores;

mod options;

mod place;

mod reckoning;

mod on_store;

mod housekeeping;

mod bucket;

mod store_bucket;

mod store_work;

mod course;

mod limiter;

mod postgres_call;

mod redis_call;

/// The private extension of the package `scupper`.
#[pyo3::pymodule]
mod _scupper {
    #[pymodule_export]
    use crate::bucket::MemoryBucket;
    #[pymodule_export]
    use crate::limiter::LimiterBase;
    #[pymodule_export]
    use crate::loop_bell::LoopBell;
    #[pymodule_export]
    use crate::postgres_call::PostgresCall;
    #[pymodule_export]
    use crate::redis_call::{PendingCall, RedisCalls};
    #[pymodule_export]
    use crate::store_bucket::StoreBucket;
    #[pymodule_export]
    use crate::waiter::Waiter;

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::fork::watch()?;
        crate::errors::export(module)
    }
}
