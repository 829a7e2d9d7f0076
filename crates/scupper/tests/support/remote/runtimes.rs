//! A store serves whoever asks, from whatever thread, runtime or none, and outlives all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::remote::{RemoteBed, admits, limiting, patient, quota, recovers, refused};
use crate::support::runtimes::{in_time, one_thread, threads};
use crate::support::{SECOND, Task};
use scupper::store::{Batch, Operation, Store};
use scupper::{ErrorKind, Limiter};
use scupper_testbed::{Fault, await_that};

const RATES: &str = "1000/h";

/// All keys begin so, and nothing else that is sent has it.
const ASKED: &str = "user:";

pub(crate) fn blocking_is_safe_outside_of_a_runtime_and_on_every_thread_of_one<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter(RATES);
    in_time({
        let limiter = limiter.clone();
        move || admits(&limiter, "user:outside")
    });
    for runtime in [one_thread, || threads(1), || threads(2)] {
        let limiter = limiter.clone();
        in_time(move || {
            let runtime = runtime();
            // All threads of the runtime block at once, and nobody else is there to drive anything.
            runtime.block_on(async {
                let block = |key| {
                    let limiter = limiter.clone();
                    async move {
                        admits(&limiter, key);
                        limiter.acquire(key).unwrap();
                        limiter.peek(key).unwrap();
                    }
                };
                let tasks = ["user:a", "user:b", "user:c"].map(|key| tokio::spawn(block(key)));
                block("user:main").await;
                for task in tasks {
                    task.await.unwrap();
                }
                let limiter = limiter.clone();
                tokio::task::spawn_blocking(move || admits(&limiter, "user:blocking")).await.unwrap();
            });
        });
    }
    assert_eq!(["user:outside", "user:a", "user:main", "user:blocking"].map(|key| bed.used(key, RATES)), [1, 6, 6, 3]);
}

pub(crate) fn a_store_can_be_connected_to_from_within_a_runtime<R: RemoteBed>() {
    let bed = R::make();
    let url = bed.url();
    for runtime in [one_thread, || threads(1)] {
        let url = url.clone();
        in_time(move || {
            runtime().block_on(async {
                let both = async {
                    let first = R::connect(&url).await.unwrap();
                    let second = R::connect_blocking(&url).unwrap();
                    [first, second].map(|store| patient(RATES, &store))
                };
                for limiter in both.await {
                    admits(&limiter, "user:key");
                }
            });
        });
    }
    assert_eq!(bed.used("user:key", RATES), 4);
}

pub(crate) fn a_task_that_has_spent_its_budget_is_served_and_keeps_nobody_from_it<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter(RATES);
    let url = bed.url();
    for spent in [100, 126, 127, 128, 129] {
        let (limiter, url) = (limiter.clone(), url.clone());
        in_time(move || {
            let work = async move {
                let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
                (0..spent).for_each(|number| sender.send(number).unwrap());
                for _ in 0..spent {
                    receiver.recv().await.unwrap();
                }
                admits(&limiter, "user:key");
                R::connect_blocking(&url).unwrap();
                assert!(limiter.try_acquire_async("user:key").await.unwrap().is_admitted());
            };
            one_thread().block_on(async { tokio::spawn(work).await.unwrap() });
        });
    }
    assert_eq!(bed.used("user:key", RATES), 10);
}

pub(crate) fn promise_5_a_runtime_that_is_shut_down_in_a_call_takes_only_its_own_requests_with_it<R: RemoteBed>() {
    for runtime in [one_thread, || threads(2)] {
        let bed = R::make();
        let limiter = bed.limiter(RATES);
        admits(&limiter, "user:key");
        bed.proxy().set(Fault::stall_replies().when_sent(ASKED));
        let runtime = runtime();
        let mine = limiter.clone();
        let asked = runtime.spawn(async move { mine.request("user:key").weight(7).acquire_async().await.map(drop) });
        // A runtime of one thread does nothing unless somebody does it.
        runtime.block_on(async { tokio::task::yield_now().await });
        bed.proxy().await_strike();
        let mut other = Task::new(limiter.acquire_async("user:other"));
        runtime.shutdown_background();
        assert!(one_thread().block_on(asked).unwrap_err().is_cancelled());
        bed.proxy().heal();
        await_that("the other is answered", || other.is_woken() && !other.is_pending());
        other.output().unwrap();
        await_that("what nobody has is given back", || bed.used("user:key", RATES) == 1);
        admits(&limiter, "user:key");
        assert_eq!(bed.proxy().connections(), 1);
    }
}

pub(crate) fn promise_5_runtimes_that_come_and_go_share_a_store<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter("1000000/h");
    let kept = Arc::new(AtomicU64::new(0));
    let ask = |limiter: Limiter, kept: Arc<AtomicU64>| async move {
        loop {
            assert!(limiter.try_acquire_async("user:key").await.unwrap().is_admitted());
            kept.fetch_add(1, Ordering::Relaxed);
        }
    };
    let lasting = threads(2);
    let first = lasting.spawn(ask(limiter.clone(), Arc::clone(&kept)));
    for turn in 0..20 {
        let passing = if turn % 2 == 0 { threads(1) } else { one_thread() };
        let before = kept.load(Ordering::Relaxed);
        let second = passing.spawn(ask(limiter.clone(), Arc::clone(&kept)));
        passing.block_on(async {
            while kept.load(Ordering::Relaxed) < before + 20 {
                assert!(!second.is_finished(), "it goes on for as long as its runtime");
                tokio::task::yield_now().await;
            }
        });
        drop(second);
        passing.shutdown_background();
    }
    first.abort();
    assert!(lasting.block_on(first).unwrap_err().is_cancelled());
    drop(lasting);
    admits(&limiter, "user:other");
    // One that had been granted and was not looked at yet when its runtime ended is given back.
    let kept = kept.load(Ordering::Relaxed);
    await_that("all others are given back", || bed.used("user:key", "1000000/h") == kept);
}

pub(crate) fn a_store_that_is_dropped_with_calls_in_flight_answers_them<R: RemoteBed>() {
    let bed = R::make();
    let quota = quota(RATES);
    let store = bed.one_by_one();
    admits(&patient(RATES, &store), "user:key");
    bed.proxy().set(Fault::stall_replies().when_sent(ASKED));
    let mut calls: Vec<_> = (0..20)
        .map(|_| Task::new(store.submit(Batch::from(&Operation::acquire("user:key", &quota, 1))).into_future()))
        .collect();
    bed.proxy().await_strike();
    drop(store);
    bed.proxy().heal();
    for call in &mut calls {
        await_that("it is answered", || call.is_woken() && !call.is_pending());
        assert!(call.output()[0].is_ok());
    }
    assert_eq!(bed.used("user:key", RATES), 21);
    drop(calls);
    await_that("the connection is closed", || bed.sessions() == 0);
}

pub(crate) fn a_limiter_that_is_dropped_with_a_late_call_still_has_it_given_back<R: RemoteBed>() {
    let bed = R::make();
    let store = bed.one_by_one();
    admits(&patient(RATES, &store), "user:key");
    // Longer than it takes to be sent.
    let limiter = limiting(RATES, &store).call_timeout(SECOND).build().unwrap();
    drop(store);
    bed.proxy().set(Fault::stall_replies().when_sent(ASKED));
    assert_eq!(refused(limiter.request("user:key").weight(9).try_acquire()).kind(), ErrorKind::Unknown);
    drop(limiter);
    await_that("it is carried out", || bed.used("user:key", RATES) == 10);
    bed.proxy().heal();
    await_that("it is given back", || bed.used("user:key", RATES) == 1);
}

pub(crate) fn stores_that_come_and_go_leave_no_threads_and_no_connections<R: RemoteBed>() {
    let bed = R::make();
    let tasks = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = tasks();
    for _ in 0..50 {
        let limiter = bed.limiter(RATES);
        recovers(&limiter, "user:key");
    }
    // Those of other tests in this process come and go, too.
    await_that("the threads are gone", || tasks() < before + 30);
    await_that("the connections are closed", || bed.sessions() == 0);
}
