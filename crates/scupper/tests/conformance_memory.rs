//! The memory store passes the suite for stores.
#![cfg(feature = "conformance")]

use scupper::conformance::{Mode, Opened, Subject, decisions};
use scupper::{ManualTimer, MemoryStore};

fn memory() -> Opened {
    let timer = ManualTimer::new();
    let store = MemoryStore::builder().timer(timer.clone()).build();
    let inside = store.clone();
    Opened::new(store).on(timer).counting(move || inside.len())
}
#[test]
fn x() {
    decisions::every_outcome_is_that_of_the_naive_model(&Subject::open(&memory, Mode::Blocking));
}
