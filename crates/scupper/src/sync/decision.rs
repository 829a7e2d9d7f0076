//! A lock of our own, for where the system's costs too much.

use std::time::Duration;
use std::{hint, thread};

use spin::mutex::{SpinMutex, SpinMutexGuard};

/// The lock around decisions. Its sections are a few nanoseconds of arithmetic, so its unlock is a plain store: the
/// second atomic exchange of an ordinary mutex would cost as much as the decision itself.
///
/// Who finds it taken pauses, first `FIRST_PAUSE` times as long as the processor's shortest pause, then longer each time;
/// then gives up its time slice, and at last sleeps. The last two matter only when the owner was preempted inside its
/// section.
#[derive(Debug)]
pub(crate) struct DecisionLock<T, const FIRST_PAUSE: u32>(SpinMutex<T>);

pub(crate) type DecisionGuard<'a, T> = SpinMutexGuard<'a, T>;

impl<T, const FIRST_PAUSE: u32> DecisionLock<T, FIRST_PAUSE> {
    const LONGEST_PAUSE: u32 = 256;
    const YIELDS: u32 = 64;
    const SLEEP: Duration = Duration::from_micros(50);

    pub(crate) const fn new(value: T) -> Self {
        Self(SpinMutex::new(value))
    }

    #[inline(always)]
    pub(crate) fn try_lock(&self) -> Option<DecisionGuard<'_, T>> {
        self.0.try_lock()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    #[inline]
    pub(crate) fn lock(&self) -> DecisionGuard<'_, T> {
        self.0.try_lock().unwrap_or_else(|| self.lock_patiently())
    }

    #[cold]
    fn lock_patiently(&self) -> DecisionGuard<'_, T> {
        let (mut pause, mut yields) = (FIRST_PAUSE, 0);
        loop {
            if !self.0.is_locked()
                && let Some(guard) = self.0.try_lock()
            {
                return guard;
            }
            (0..pause).for_each(|_| hint::spin_loop());
            if pause < Self::LONGEST_PAUSE {
                pause *= 2;
            } else if yields < Self::YIELDS {
                yields += 1;
                thread::yield_now();
            } else {
                thread::sleep(Self::SLEEP);
            }
        }
    }
}

impl<T: Default, const FIRST_PAUSE: u32> Default for DecisionLock<T, FIRST_PAUSE> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
