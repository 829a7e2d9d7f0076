//! Waiting on one key.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scupper::{Limiter, ManualTimer, MemoryStore, Permit, Rate, SystemTimer, Timer};

use super::NAME;
use crate::counted::{CountedStore, CountedTimer, Counts};
use crate::limit::Limit;
use crate::queue::{Ask, Queue, Refill};

const KEY: &str = "one";
/// Windows are closed: what was used is free again a tick after its interval.
const TICK: Duration = Duration::from_micros(1);

/// For tasks.
pub(crate) fn tasks(limit: Limit) -> Result<Queue> {
    Ok(tasks_of(limit, Limiter::builder().rate(rate(limit)?).build()?))
}

/// For tasks, counted.
pub(crate) fn counted_tasks(limit: Limit) -> Result<(Queue, Arc<Counts>)> {
    let (limiter, counts) = counted(limit, SystemTimer::new())?;
    Ok((tasks_of(limit, limiter), counts))
}

/// For threads.
pub(crate) fn threads(limit: Limit) -> Result<Queue> {
    let limiter = Limiter::builder().rate(rate(limit)?).build()?;
    let ending = limiter.clone();
    let ask = Ask::Thread(Arc::new(move || Ok(limiter.acquire(KEY).map(drop)?)));
    Ok(Queue { name: NAME, ask, refill: refill(limit), close: Box::new(move || ending.close()) })
}

fn tasks_of(limit: Limit, limiter: Limiter) -> Queue {
    let ask = Ask::Task(Arc::new(move || {
        let limiter = limiter.clone();
        Box::pin(async move { Ok(limiter.acquire_async(KEY).await.map(drop)?) })
    }));
    Queue { name: NAME, ask, refill: refill(limit), close: Box::new(|| ()) }
}

fn counted<T: Timer + Clone>(limit: Limit, timer: T) -> Result<(Limiter, Arc<Counts>)> {
    let counts = Arc::<Counts>::default();
    let store = MemoryStore::builder().timer(timer.clone()).build();
    let limiter = Limiter::builder()
        .rate(rate(limit)?)
        .store(CountedStore { inner: store, counts: Arc::clone(&counts) })
        .timer(CountedTimer { inner: timer, counts: Arc::clone(&counts) })
        .build()?;
    Ok((limiter, counts))
}

fn rate(limit: Limit) -> scupper::Result<Rate> {
    Rate::new(limit.requests.into(), limit.interval)
}

fn refill(limit: Limit) -> Refill {
    Refill::Every(limit.interval + TICK)
}

/// A full bucket on a clock that stands until it is moved.
#[derive(Debug)]
pub(crate) struct Halted {
    limiter: Limiter,
    timer: ManualTimer,
}

impl Halted {
    pub(crate) fn full(limit: Limit) -> Result<Self> {
        let timer = ManualTimer::new();
        let limiter = Limiter::builder().rate(rate(limit)?).timer(timer.clone()).build()?;
        Self { limiter, timer }.filled(limit)
    }

    /// The same with its calls counted.
    pub(crate) fn full_and_counted(limit: Limit) -> Result<(Self, Arc<Counts>)> {
        let timer = ManualTimer::new();
        let (limiter, counts) = counted(limit, timer.clone())?;
        Ok((Self { limiter, timer }.filled(limit)?, counts))
    }

    fn filled(self, limit: Limit) -> Result<Self> {
        let admitted = self.limiter.request(KEY).weight(limit.requests.into()).try_acquire()?.is_admitted();
        ensure!(admitted, "what the limit allows was denied");
        Ok(self)
    }

    pub(crate) fn ask(&self) -> impl Future<Output = scupper::Result<Permit<'_>>> {
        self.limiter.acquire_async(KEY)
    }

    /// Moves the clock to where the next one fits.
    pub(crate) fn go_on(&self) -> Result<()> {
        self.timer.set(self.timer.next_alarm().context("nobody is to be woken")?);
        Ok(())
    }

    /// Units that are taken.
    pub(crate) fn used(&self) -> Result<u64> {
        Ok(self.limiter.peek(KEY)?.usage[0].used)
    }
}
