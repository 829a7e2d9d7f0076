//! What is done to a store whose file is damaged.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{panic, thread};

use scupper::store::{Outcome, Reply, Verdict};
use scupper_testbed::await_that;

/// Has this done on a thread of its own, and waits for no longer than it can take; nothing panics meanwhile, on any thread.
pub(crate) fn endures(act: impl FnOnce() + Send + 'static) {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            // Those of a test end it; these would not show.
            let is_of_a_store = thread::current().name().is_some_and(|name| name.starts_with("scupper"));
            PANICS.fetch_add(usize::from(is_of_a_store), Ordering::SeqCst);
            before(what);
        }));
    });
    let acting = thread::spawn(act);
    await_that("it comes to an end", || acting.is_finished());
    assert!(acting.join().is_ok(), "it says why");
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a thread of the store has panicked");
}

/// Numbers without end, the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

pub(crate) fn is_admitted(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Reply::Acquired(Verdict::Admitted(_))))
}
