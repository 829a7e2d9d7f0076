//! The memory store passes the suite for stores: on a manual clock, and on the system's.
#![cfg(feature = "conformance")]

use scupper::conformance::Opened;
use scupper::{ManualTimer, MemoryStore};

mod manual_time {
    use super::{ManualTimer, MemoryStore, Opened};

    fn store() -> Opened {
        let timer = ManualTimer::new();
        let store = MemoryStore::builder().timer(timer.clone()).build();
        let inside = store.clone();
        Opened::new(store).on(timer).counting(move || inside.len())
    }

    scupper::conformance_tests!(store);
}

mod system_time {
    use super::{MemoryStore, Opened};

    fn store() -> Opened {
        let store = MemoryStore::new();
        let inside = store.clone();
        Opened::new(store).counting(move || inside.len())
    }

    scupper::conformance_tests!(store);
}
