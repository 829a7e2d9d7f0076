//! Waiting for what happens outside this process.

use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes, on a machine that is slow and has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

const PAUSE: Duration = Duration::from_millis(1);

/// Asks again and again until `condition` holds, for at most a minute.
///
/// # Panics
///
/// When it never held; `what` finishes the sentence "It never came true that …".
pub fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    let found = look_for(PATIENCE, || condition().then_some(()));
    assert!(found.is_some(), "It never came true that {what}.");
}

/// What `look` finds at last, or nothing after `limit`.
pub(crate) fn look_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let found = look();
        if found.is_some() || Instant::now() >= deadline {
            return found;
        }
        thread::sleep(PAUSE);
    }
}
