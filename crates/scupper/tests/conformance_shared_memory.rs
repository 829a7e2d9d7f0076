//! The store in shared memory passes the suite for stores.
#![cfg(all(feature = "conformance", feature = "shared-memory", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use scupper::SharedMemoryStore;
use scupper::conformance::Opened;
use support::shared_memory::Place;

fn store() -> Opened {
    let place = Place::new();
    Opened::new(SharedMemoryStore::open(&place.url("")).unwrap()).guarded_by(place)
}

scupper::conformance_tests!(store);
