//! What the tests of remote stores share: a store that does as it is told, and futures that are polled by hand.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses a part, and reports by panicking"
)]

#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
pub(crate) mod asks;
#[cfg(feature = "sqlite")]
pub(crate) mod damage;
pub(crate) mod folder;
mod operation;
mod outages;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
pub(crate) mod process;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) mod remote;
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
pub(crate) mod runtimes;
mod scripted;
#[cfg(feature = "shared-memory")]
pub(crate) mod shared_memory;
#[cfg(all(feature = "serde", unix))]
pub(crate) mod spread;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
pub(crate) mod taken;
mod task;
#[cfg(all(feature = "serde", unix))]
mod wire;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use scupper::{Decision, Denied, Limiter, LimiterBuilder, ManualTimer, Permit, Rates};

pub(crate) use operation::{Asked, Kind};
pub(crate) use outages::{OUTAGES, Outage, acquire, ask, begin, end, local, outcome};
pub(crate) use scripted::{Answers, Failure, Scripted};
pub(crate) use task::Task;

pub(crate) const TICK: Duration = Duration::from_micros(1);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// A clock, and a store on it that answers at once until it is told otherwise.
pub(crate) fn clock_and_store() -> (ManualTimer, Scripted) {
    let timer = ManualTimer::new();
    let store = Scripted::new(&timer);
    (timer, store)
}

/// A limiter on this store, yet to be built.
pub(crate) fn limiting(rates: &str, timer: &ManualTimer, store: &Scripted) -> LimiterBuilder {
    let rates: Rates = rates.parse().unwrap();
    Limiter::builder().rates(rates.iter().copied()).timer(timer.clone()).shared_store(Arc::new(store.clone()))
}

#[track_caller]
pub(crate) fn admitted(decision: Decision<'_>) -> Permit<'_> {
    match decision {
        Decision::Admitted(permit) => permit,
        other => panic!("not admitted: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn denied(decision: &Decision<'_>) -> Denied {
    match decision {
        Decision::Denied(denied) => *denied,
        other => panic!("not denied: {other:?}"),
    }
}

/// Gives other threads the processor until something has happened that they do without regard to any clock.
#[track_caller]
pub(crate) fn until(mut happened: impl FnMut() -> bool) {
    // Far more than any scheduler needs: who comes to the end waits for what never happens.
    for _ in 0..50_000_000 {
        if happened() {
            return;
        }
        thread::yield_now();
    }
    panic!("it never happens");
}
