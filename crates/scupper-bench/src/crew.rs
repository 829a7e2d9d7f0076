//! Threads that stay for a whole case, so that no batch pays for starting them.

use std::sync::Barrier;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::limit::Outcome;
use crate::side::Side;

/// One batch for one thread.
#[derive(Clone, Copy, Debug)]
struct Job<'a> {
    side: &'a Side,
    requests: u32,
}

/// What one thread made of it.
#[derive(Debug)]
struct Report {
    started: Instant,
    ended: Instant,
    admitted: u32,
}

#[derive(Debug)]
struct Hand<'a> {
    jobs: Sender<Job<'a>>,
    reports: Receiver<Report>,
}

/// Runs batches on one or several threads at once and takes the time. One thread is the caller's
/// own. Several meet at a barrier; the batch lasts from the first start to the last end.
#[derive(Debug)]
pub(crate) struct Crew<'a> {
    outcome: Outcome,
    hands: Vec<Hand<'a>>,
}

impl<'a> Crew<'a> {
    pub(crate) fn new<'scope>(
        scope: &'scope Scope<'scope, '_>,
        barrier: &'a Barrier,
        threads: u32,
        outcome: Outcome,
    ) -> Self
    where
        'a: 'scope,
    {
        let hands = if threads > 1 { threads } else { 0 };
        let hands = (0..hands)
            .zip(0_usize..)
            .map(|(_, thread)| {
                let (jobs, inbox) = channel::<Job<'a>>();
                let (outbox, reports) = channel();
                scope.spawn(move || {
                    for job in inbox {
                        barrier.wait();
                        if outbox.send(work(job, thread)).is_err() {
                            break;
                        }
                    }
                });
                Hand { jobs, reports }
            })
            .collect();
        Self { outcome, hands }
    }

    /// Makes `requests` requests per thread and returns how long that took.
    ///
    /// # Errors
    ///
    /// If a request had another outcome than the case's, or if a thread died.
    pub(crate) fn time(&self, side: &'a Side, requests: u32) -> Result<Duration> {
        let job = Job { side, requests };
        let reports = if self.hands.is_empty() {
            vec![work(job, 0)]
        } else {
            for hand in &self.hands {
                let sent = hand.jobs.send(job);
                ensure!(sent.is_ok(), "a thread has died");
            }
            let reports = self.hands.iter().map(|hand| hand.reports.recv());
            reports.collect::<Result<Vec<_>, _>>().context("a thread has died")?
        };
        let expected = self.outcome.admitted_of(requests);
        for report in &reports {
            ensure!(
                report.admitted == expected,
                "{} admitted {} of {requests} requests where the case is {:?}",
                side.name(),
                report.admitted,
                self.outcome,
            );
        }
        let started = reports.iter().map(|report| report.started).min();
        let ended = reports.iter().map(|report| report.ended).max();
        let (started, ended) = started.zip(ended).context("no thread has worked")?;
        Ok(ended - started)
    }
}

fn work(job: Job<'_>, thread: usize) -> Report {
    let started = Instant::now();
    let admitted = job.side.run(thread, job.requests);
    Report { started, ended: Instant::now(), admitted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    #[test]
    fn every_thread_makes_the_requests() -> Result<()> {
        for threads in [1, 3] {
            let made = Arc::new(AtomicU32::new(0));
            let counter = Arc::clone(&made);
            let side = Side::repeating("any", move || {
                counter.fetch_add(1, Ordering::Relaxed);
                true
            });
            let barrier = Barrier::new(threads as usize);
            thread::scope(|scope| Crew::new(scope, &barrier, threads, Outcome::Admit).time(&side, 10))?;
            assert_eq!(made.load(Ordering::Relaxed), 10 * threads);
        }
        Ok(())
    }

    #[test]
    fn a_wrong_verdict_is_an_error_on_any_number_of_threads() {
        for threads in [1, 2] {
            let nth = AtomicU32::new(0);
            let side = Side::repeating("fickle", move || nth.fetch_add(1, Ordering::Relaxed) != 7);
            let barrier = Barrier::new(threads as usize);
            let timed = thread::scope(|scope| Crew::new(scope, &barrier, threads, Outcome::Admit).time(&side, 10));
            assert!(timed.is_err());
        }
    }
}
