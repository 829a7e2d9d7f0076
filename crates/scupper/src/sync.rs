//! The synchronisation primitives of the crate, in one place so that a model checker can stand in for them.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use std::cell::Cell;
use std::hint;
use std::thread;
use std::time::Duration;

/// The lock around decisions. Its sections are a few nanoseconds of arithmetic, so its unlock is a plain store: the
/// second atomic exchange of an ordinary mutex would cost as much as the decision itself.
pub(crate) type DecisionLock<T> = spin::mutex::SpinMutex<T, Backoff>;

/// Locks what no panic can leave half-written.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a thread waits for a [`DecisionLock`]: a short pause first, then its time slice, then sleep. The last two matter
/// only when the owner was preempted inside its section.
#[derive(Debug)]
pub(crate) struct Backoff;

impl Backoff {
    const PAUSES: u32 = 8;
    const ROUNDS_PER_YIELD: u32 = 16;
    const ROUNDS_PER_SLEEP: u32 = 1024;
    const SLEEP: Duration = Duration::from_micros(50);
}

thread_local! {
    static ROUND: Cell<u32> = const { Cell::new(0) };
}

impl spin::relax::RelaxStrategy for Backoff {
    fn relax() {
        let round = ROUND.get().wrapping_add(1);
        ROUND.set(round);
        if round.is_multiple_of(Self::ROUNDS_PER_SLEEP) {
            thread::sleep(Self::SLEEP);
        } else if round.is_multiple_of(Self::ROUNDS_PER_YIELD) {
            thread::yield_now();
        } else {
            for _ in 0..Self::PAUSES {
                hint::spin_loop();
            }
        }
    }
}
