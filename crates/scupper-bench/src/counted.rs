//! Counts what our side asks of a store and of a timer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use scupper::store::{Batch, Store, Submission};
use scupper::{Alarm, Timer, Timestamp};

/// What was counted so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    calls: AtomicU32,
    alarms: AtomicU32,
    rung: AtomicU32,
}

impl Counts {
    /// Calls to the store.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Alarms that were set.
    pub(crate) fn alarms(&self) -> u32 {
        self.alarms.load(Ordering::Relaxed)
    }

    /// Alarms that went off.
    pub(crate) fn rung(&self) -> u32 {
        self.rung.load(Ordering::Relaxed)
    }
}

/// A store whose calls are counted.
#[derive(Debug)]
pub(crate) struct CountedStore<S> {
    pub(crate) inner: S,
    pub(crate) counts: Arc<Counts>,
}

impl<S: Store> Store for CountedStore<S> {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        self.counts.calls.fetch_add(1, Ordering::Relaxed);
        self.inner.submit(batch)
    }
}

/// A timer whose alarms are counted. Reminders are not: they are for calls that get no answer.
#[derive(Debug)]
pub(crate) struct CountedTimer<T> {
    pub(crate) inner: T,
    pub(crate) counts: Arc<Counts>,
}

impl<T: Timer> Timer for CountedTimer<T> {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> scupper::Result<Alarm> {
        self.counts.alarms.fetch_add(1, Ordering::Relaxed);
        let counts = Arc::clone(&self.counts);
        self.inner.wake_at(at, Waker::from(Arc::new(Bell { waker, counts })))
    }

    fn remind_at(&self, at: Timestamp, waker: Waker) -> scupper::Result<Alarm> {
        self.inner.remind_at(at, waker)
    }

    fn idle(&self, waker: &Waker) -> bool {
        self.inner.idle(waker)
    }
}

struct Bell {
    waker: Waker,
    counts: Arc<Counts>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.counts.rung.fetch_add(1, Ordering::Relaxed);
        self.waker.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scupper::{Limiter, ManualTimer, MemoryStore};

    #[test]
    fn one_that_waits_costs_a_call_to_be_denied_an_alarm_and_a_call_to_be_admitted() -> scupper::Result<()> {
        let (timer, counts) = (ManualTimer::auto_advancing(), Arc::<Counts>::default());
        let inner = MemoryStore::builder().timer(timer.clone()).build();
        let limiter = Limiter::builder()
            .rates(["1/s".parse()?])
            .store(CountedStore { inner, counts: Arc::clone(&counts) })
            .timer(CountedTimer { inner: timer, counts: Arc::clone(&counts) })
            .build()?;
        limiter.acquire("one")?;
        assert_eq!((counts.calls(), counts.alarms(), counts.rung()), (1, 0, 0));
        limiter.acquire("one")?;
        assert_eq!((counts.calls(), counts.alarms(), counts.rung()), (3, 1, 1));
        Ok(())
    }
}
