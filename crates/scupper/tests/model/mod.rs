//! What the scenarios of the model checker have in common.
#![allow(dead_code, reason = "no scenario uses all of it")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use scupper::{Limiter, ManualTimer, Permit, Rates, Result, Timer, Timestamp};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread::JoinHandle;
use shuttle::{Config, MaxSteps, Runner};

pub(crate) mod later;

pub(crate) const KEY: &str = "key";
pub(crate) const TICK: Duration = Duration::from_micros(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// Runs of a scenario by each scheduler.
const RUNS: usize = 10_000;
/// How many switches at the worst moment a bug may need.
const DEPTH: usize = 3;

/// Runs a scenario many times, each time in another order. A run in which all threads wait for each other fails, and prints
/// what [`shuttle::replay`] takes to run it once more.
pub(crate) fn check(scenario: fn()) {
    run(RandomScheduler::new(RUNS), scenario);
    run(PctScheduler::new(DEPTH, RUNS), scenario);
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    // Far more than any scenario takes: one that goes on is one that polls.
    config.max_steps = MaxSteps::FailAfter(20_000);
    Runner::new(scheduler, config).run(scenario);
}

pub(crate) fn limiter(rates: &str, timer: &ManualTimer) -> Limiter {
    Limiter::builder().rates(parse(rates)).timer(timer.clone()).build().unwrap()
}

/// A limiter whose bucket is full, and the permits that fill it.
pub(crate) fn full(rates: &str, timer: &ManualTimer) -> (Limiter, Vec<Permit<'static>>) {
    let limiter = limiter(rates, timer);
    let held = fill(&limiter);
    (limiter, held)
}

pub(crate) fn fill(limiter: &Limiter) -> Vec<Permit<'static>> {
    let room = limiter.peek(KEY).unwrap().remaining();
    (0..room).map(|_| limiter.acquire(KEY).unwrap().into_owned()).collect()
}

pub(crate) fn parse(rates: &str) -> Vec<scupper::Rate> {
    rates.parse::<Rates>().unwrap().to_vec()
}

pub(crate) type Waiting = Pin<Box<dyn Future<Output = Result<Permit<'static>>> + Send>>;

/// A request that may wait so long.
pub(crate) fn request(limiter: &Limiter, weight: u64, timeout: Option<Duration>) -> Waiting {
    let limiter = limiter.clone();
    Box::pin(async move {
        let mut request = limiter.request(KEY).weight(weight);
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        request.acquire_async().await.map(Permit::into_owned)
    })
}

/// A request that has come to the line, and was not answered.
pub(crate) fn in_line(limiter: &Limiter) -> Waiting {
    let mut waiting = request(limiter, 1, None);
    assert!(poll(&mut waiting).is_pending());
    waiting
}

pub(crate) fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + Send>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn join_all<T, const THREADS: usize>(threads: [JoinHandle<T>; THREADS]) {
    for thread in threads {
        drop(thread.join().unwrap());
    }
}

pub(crate) fn refund_all(limiter: &Limiter, permits: Vec<Permit<'_>>) {
    for permit in permits {
        assert_eq!(limiter.refund(permit).unwrap(), 1);
    }
}

/// Moves the clock for as long as somebody waits for it.
pub(crate) fn let_time_pass(timer: &ManualTimer) {
    while let Some(at) = timer.next_alarm() {
        timer.set(at.max(timer.now()));
    }
}

pub(crate) fn used(limiter: &Limiter) -> u64 {
    limiter.peek(KEY).unwrap().usage[0].used
}

/// That no closed interval of this length holds more than the limit.
pub(crate) fn assert_never_over(permits: &[Permit<'_>], limit: u64, interval: Duration) {
    let weight_from = |from: Timestamp| -> u64 {
        let inside = permits.iter().filter(|permit| permit.tick() >= from && permit.tick() <= from + interval);
        inside.map(Permit::weight).sum()
    };
    for permit in permits {
        assert!(weight_from(permit.tick()) <= limit, "more than {limit} in {interval:?}: {permits:?}");
    }
}
