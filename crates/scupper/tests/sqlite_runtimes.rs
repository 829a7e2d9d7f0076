//! A store in a file serves whoever asks, from whatever thread, runtime or none: all that fits and nothing more, and nobody waits
//! for ever.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use rusqlite::Connection;
use scupper::store::{Batch, Operation, Store, Submission};
use scupper::{Limiter, SqliteStore};
use scupper_testbed::await_that;
use support::folder::Folder;
use support::runtimes::{in_time, one_thread, threads};
use support::sqlite::{admits, limiting, quota, used};
use support::{SECOND, Task};

const RATES: &str = "1000/h";

fn store(folder: &Folder) -> SqliteStore {
    SqliteStore::builder(folder.file("limits.db")).timeout(20 * SECOND).open().unwrap()
}

fn limiter(rates: &str, store: &SqliteStore) -> Limiter {
    limiting(rates, store).call_timeout(None).build().unwrap()
}

/// Somebody else has the file until that is dropped.
fn held(folder: &Folder) -> Connection {
    let other = Connection::open(folder.file("limits.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[test]
fn blocking_is_safe_outside_of_a_runtime_and_on_every_thread_of_one() {
    let folder = Folder::new();
    let store = store(&folder);
    let limiter = limiter(RATES, &store);
    in_time({
        let store = store.clone();
        move || admits(&store, "outside", RATES)
    });
    for runtime in [one_thread, || threads(1), || threads(2)] {
        let (limiter, other) = (limiter.clone(), held(&folder));
        let (begun, awaited) = channel();
        // All threads of the runtime block at once while another process has the file, and nobody else drives anything.
        let lets_go = thread::spawn(move || {
            awaited.recv().unwrap();
            drop(other);
        });
        in_time(move || {
            runtime().block_on(async {
                let block = |key| {
                    let (limiter, begun) = (limiter.clone(), begun.clone());
                    async move {
                        let _ = begun.send(());
                        assert!(limiter.try_acquire(key).unwrap().is_admitted());
                        limiter.acquire(key).unwrap();
                        limiter.peek(key).unwrap();
                    }
                };
                let tasks = ["a", "b", "c"].map(|key| tokio::spawn(block(key)));
                block("main").await;
                for task in tasks {
                    task.await.unwrap();
                }
                let limiter = limiter.clone();
                tokio::task::spawn_blocking(move || limiter.acquire("blocking").map(drop)).await.unwrap().unwrap();
            });
        });
        lets_go.join().unwrap();
    }
    assert_eq!(["outside", "a", "main", "blocking"].map(|key| used(&store, key, RATES)), [1, 6, 6, 3]);
}

#[test]
fn while_another_process_has_the_file_submit_returns_at_once_and_an_executor_goes_on() {
    in_time(go_on_while_another_process_has_the_file);
}

fn go_on_while_another_process_has_the_file() {
    let folder = Folder::new();
    let (store, quota) = (store(&folder), quota(RATES));
    let limiter = limiter(RATES, &store);
    let other = held(&folder);
    // The file is not let go before all of this has returned: were one to wait for it, it would wait as long as the store's timeout.
    let submitted: Vec<_> = (0..5).map(|_| store.submit(Batch::from(&Operation::acquire("key", &quota, 1)))).collect();
    assert!(submitted.iter().all(|it| matches!(it, Submission::Pending(_))));
    one_thread().block_on(async {
        let asks = |key: &'static str| {
            let limiter = limiter.clone();
            tokio::spawn(async move { limiter.try_acquire_async(key).await.unwrap().is_admitted() })
        };
        let tasks = ["key", "key", "other"].map(asks);
        // The executor's only thread does other things meanwhile.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(tasks.iter().all(|task| !task.is_finished()));
        drop(other);
        for task in tasks {
            assert!(task.await.unwrap());
        }
    });
    assert!(submitted.into_iter().all(|it| it.wait()[0].is_ok()));
    assert_eq!(["key", "other"].map(|key| used(&store, key, RATES)), [7, 1]);
}

/// Blocking threads, tasks on a runtime, and futures on threads with no runtime, all at once; how many were admitted.
fn all_at_once(limiter: &Limiter, keys: &'static [&'static str], each: usize) -> u64 {
    const TASKS: usize = 64;
    const THREADS: usize = 8;
    let admitted = Arc::new(AtomicU64::new(0));
    let (runtime, tasks) = (threads(2), TASKS);
    let asked = move |limiter: Limiter, admitted: Arc<AtomicU64>, number: usize| async move {
        for turn in 0..each {
            let decision = limiter.try_acquire_async(keys[(number + turn) % keys.len()]).await.unwrap();
            admitted.fetch_add(u64::from(decision.is_admitted()), Ordering::Relaxed);
        }
    };
    let tasks: Vec<_> =
        (0..tasks).map(|number| runtime.spawn(asked(limiter.clone(), Arc::clone(&admitted), number))).collect();
    let blocking = (0..THREADS).map(|number| {
        let (limiter, admitted) = (limiter.clone(), Arc::clone(&admitted));
        thread::spawn(move || {
            for turn in 0..each {
                let decision = limiter.try_acquire(keys[(number + turn) % keys.len()]).unwrap();
                admitted.fetch_add(u64::from(decision.is_admitted()), Ordering::Relaxed);
            }
            pollster::block_on(asked(limiter, admitted, number));
        })
    });
    blocking.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    admitted.load(Ordering::Relaxed)
}

#[test]
fn promises_1_and_2_of_threads_and_tasks_at_once_all_that_fits_is_admitted_and_nothing_more() {
    const KEYS: &[&str] = &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let folder = Folder::new();
    let store = store(&folder);
    for (rates, each) in [("1000/h", 20), ("100000/h", 20)] {
        for keys in [&["one"], KEYS] {
            let limiter = limiter(rates, &store);
            for key in keys {
                limiter.reset(key).unwrap();
            }
            let asked = u64::try_from(each * (64 + 8 + 8)).unwrap();
            let admitted = in_time({
                let limiter = limiter.clone();
                move || all_at_once(&limiter, keys, each)
            });
            let limit: u64 = rates.split('/').next().unwrap().parse().unwrap();
            let fits = asked.min(limit * u64::try_from(keys.len()).unwrap());
            assert_eq!(admitted, fits, "{rates}, {} keys", keys.len());
            assert_eq!(keys.iter().map(|key| used(&store, key, rates)).sum::<u64>(), fits);
        }
    }
}

#[test]
fn promise_2_who_waits_for_a_permit_is_served_in_time_from_threads_and_from_tasks() {
    let folder = Folder::new();
    let store = store(&folder);
    let limiter = limiter("40/50ms", &store);
    let ticks = in_time(move || {
        let runtime = threads(2);
        let asks = |limiter: Limiter| async move { limiter.acquire_async("key").await.unwrap().tick().as_micros() };
        let tasks: Vec<_> = (0..64).map(|_| runtime.spawn(asks(limiter.clone()))).collect();
        let blocking: Vec<_> = (0..8)
            .map(|_| {
                let limiter = limiter.clone();
                thread::spawn(move || {
                    (0..8).map(|_| limiter.acquire("key").unwrap().tick().as_micros()).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut ticks: Vec<u64> = blocking.into_iter().flat_map(|it| it.join().unwrap()).collect();
        ticks.extend(tasks.into_iter().map(|task| runtime.block_on(task).unwrap()));
        ticks.sort_unstable();
        ticks
    });
    assert_eq!(ticks.len(), 128);
    assert!(ticks.windows(41).all(|window| window[40] - window[0] > 50_000));
}

#[test]
fn promise_5_a_future_that_is_polled_once_and_never_again_stalls_nobody() {
    let folder = Folder::new();
    let (store, quota) = (store(&folder), quota(RATES));
    let limiter = limiter(RATES, &store);
    let other = held(&folder);
    let submitted = Task::new(store.submit(Batch::from(&Operation::acquire("key", &quota, 1))).into_future());
    let never_again = ["key", "key", "other"].map(|key| Task::new(limiter.acquire_async(key)));
    drop(other);
    in_time({
        let limiter = limiter.clone();
        move || {
            for key in ["key", "other", "another"] {
                limiter.acquire(key).unwrap();
                pollster::block_on(limiter.acquire_async(key)).unwrap();
            }
        }
    });
    drop((submitted, never_again));
    await_that("what nobody has is given back", || {
        ["key", "other", "another"].map(|key| used(&store, key, RATES)) == [3, 2, 2]
    });
}

#[test]
fn a_store_that_is_dropped_with_requests_pending_answers_them_and_then_closes_the_file() {
    let folder = Folder::new();
    let (store, quota) = (store(&folder), quota(RATES));
    let other = held(&folder);
    let submit = || Task::new(store.submit(Batch::from(&Operation::acquire("key", &quota, 1))).into_future());
    let mut calls: Vec<_> = (0..20).map(|_| submit()).collect();
    assert!(calls.iter_mut().all(Task::is_pending));
    drop(store);
    drop(other);
    for call in &mut calls {
        await_that("it is answered", || call.is_woken() && !call.is_pending());
        assert!(call.output()[0].is_ok());
    }
    drop(calls);
    await_that("the file is closed", || !folder.file("limits.db-wal").exists());
    assert_eq!(used(&self::store(&folder), "key", RATES), 20);
}

#[test]
fn promise_5_a_runtime_that_is_shut_down_in_a_call_takes_only_its_own_requests_with_it() {
    for runtime in [one_thread, || threads(2)] {
        let folder = Folder::new();
        let store = store(&folder);
        let limiter = limiter(RATES, &store);
        admits(&store, "key", RATES);
        let other = held(&folder);
        let runtime = runtime();
        let (mine, begun) = (limiter.clone(), Arc::new(AtomicU64::new(0)));
        let asks = Arc::clone(&begun);
        let asked = runtime.spawn(async move {
            asks.fetch_add(1, Ordering::Relaxed);
            mine.request("key").weight(7).acquire_async().await.map(drop)
        });
        // A runtime of one thread does nothing unless somebody does it.
        runtime.block_on(async { tokio::task::yield_now().await });
        await_that("it has asked", || begun.load(Ordering::Relaxed) == 1);
        let mut another = Task::new(limiter.acquire_async("other"));
        runtime.shutdown_background();
        // Before the file is free: else a thread of the runtime that has not heard of its end yet might take the permit.
        await_that("it is cancelled", || asked.is_finished());
        assert!(pollster::block_on(asked).unwrap_err().is_cancelled());
        drop(other);
        await_that("the other is answered", || another.is_woken() && !another.is_pending());
        another.output().unwrap();
        await_that("what nobody has is given back", || used(&store, "key", RATES) == 1);
        admits(&store, "key", RATES);
    }
}
