//! The native half of the Python package: decisions, waits and the clock.
//!
//! | what | where |
//! |---|---|
//! | what a fork waits for | `fork` |
//! | the clock that Python reads, with alarms | `clock` |
//! | one bucket, and who decides on it | `store` |
//! | who took what | `labels` |
//! | what is raised | `errors` |
//! | arguments as they are given | `argument` |
//! | a place in line, and waiting for it on a thread or in an event loop | `turn`, `bell`, `notifier`, `waiter` |
//! | what Python sees | `bucket`, `limiter` |
//!
//! Whatever is locked here is locked by a thread that has the interpreter, and never while it runs Python code; the state of a
//! bucket alone is also locked by the thread that serves those who wait, within a section that a fork waits for.

mod fork;

mod clock;

mod errors;

mod millis;

mod argument;

mod labels;

mod quota;

mod kept;

mod store;

mod turn;

mod decider;

mod bell;

mod loop_bell;

mod waiter;

mod bucket;

mod limiter;

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
    use crate::waiter::Waiter;

    #[pymodule_init]
    fn init(_module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::fork::watch()?;
        Ok(())
    }
}
