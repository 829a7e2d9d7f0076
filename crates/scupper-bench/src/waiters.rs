//! Those who wait: tasks or threads that ask for one unit after the other.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, yield_now};

use crate::queue::{Ask, Queue, Wait};
use crate::visits::{Visit, Visits};

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Served {
    /// From the start to the last grant.
    pub(crate) took: Duration,
    pub(crate) visits: Vec<Visit>,
}

/// Has so many waiters ask until so many units are granted. Each asks again as soon as it was served and all others could run.
///
/// Tasks share one thread, so that they come back in the order in which they were served. With several, chance would decide
/// who takes what nobody waits for, and shares would tell of the scheduler.
///
/// # Errors
///
/// If a request failed before enough were granted.
pub(crate) fn serve(queue: &Queue, waiters: usize, grants: u32) -> Result<Served> {
    let visits = Arc::new(Visits::new(grants));
    let start = match &queue.ask {
        Ask::Task(ask) => runtime()?.block_on(tasks(ask, waiters, &visits))?,
        Ask::Thread(ask) => threads(&**ask, waiters, &visits, &queue.close)?,
    };
    let visits = Arc::into_inner(visits).context("a waiter is still there")?.all();
    let granted = || visits.iter().filter_map(|visit| visit.granted);
    let (last, count) = (granted().max().context("nobody was served")?, granted().count());
    ensure!(count == grants as usize, "{} gave {count} of {grants}", queue.name);
    Ok(Served { took: last - start, visits })
}

/// An executor on the calling thread.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_time().build()?)
}

async fn tasks(ask: &Arc<dyn Fn() -> Wait + Send + Sync>, waiters: usize, visits: &Arc<Visits>) -> Result<Instant> {
    let start = Instant::now();
    let mut all = JoinSet::new();
    for waiter in 0..waiters {
        let (ask, visits) = (Arc::clone(ask), Arc::clone(visits));
        all.spawn(async move {
            while let Some(number) = visits.ask(waiter) {
                ask().await?;
                visits.grant(number);
                yield_now().await;
            }
            anyhow::Ok(())
        });
    }
    // Who ends has seen the last grant; the others wait for what does not count.
    all.join_next().await.context("there are no waiters")???;
    all.shutdown().await;
    Ok(start)
}

fn threads(
    ask: &(dyn Fn() -> Result<()> + Sync),
    waiters: usize,
    visits: &Visits,
    close: &(dyn Fn() + Sync),
) -> Result<Instant> {
    let barrier = Barrier::new(waiters + 1);
    let wait = |waiter| {
        barrier.wait();
        while let Some(number) = visits.ask(waiter) {
            if ask().is_err() {
                break;
            }
            if visits.grant(number) {
                close();
            }
            thread::yield_now();
        }
    };
    let wait = &wait;
    thread::scope(|scope| {
        let all: Vec<_> = (0..waiters).map(|waiter| scope.spawn(move || wait(waiter))).collect();
        let start = Instant::now();
        barrier.wait();
        for thread in all {
            if thread.join().is_err() {
                bail!("a waiter panicked");
            }
        }
        Ok(start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Refill;

    fn queue(ask: Ask) -> Queue {
        Queue { name: "any", ask, refill: Refill::Every(Duration::ZERO), close: Box::new(|| ()) }
    }

    #[test]
    fn a_request_that_fails_is_an_error() {
        let fails = || -> Wait { Box::pin(async { bail!("no") }) };
        assert!(serve(&queue(Ask::Task(Arc::new(fails))), 2, 10).is_err());
        assert!(serve(&queue(Ask::Thread(Arc::new(|| bail!("no")))), 2, 10).is_err());
    }

    #[test]
    fn tasks_and_threads_ask_until_all_is_granted() -> Result<()> {
        let grants: [Ask; 2] = [Ask::Task(Arc::new(|| Box::pin(async { Ok(()) }))), Ask::Thread(Arc::new(|| Ok(())))];
        for ask in grants {
            let served = serve(&queue(ask), 3, 30)?;
            assert_eq!(served.visits.iter().filter(|visit| visit.granted.is_some()).count(), 30);
        }
        Ok(())
    }
}
