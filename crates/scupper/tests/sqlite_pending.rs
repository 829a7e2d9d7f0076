//! Answers that come later: whoever waits for them, on whatever runtime or none, or goes away.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use rusqlite::Connection;
use scupper::store::{Action, Batch, Operation, Outcomes, Reply, Store, Submission};
use scupper::{Limiter, SqliteStore};
use scupper_testbed::await_that;
use support::SECOND;
use support::folder::Folder;
use support::sqlite::{is_sound, limiting, quota, used};

const RATES: &str = "1000000/h";

/// A store whose file another connection has until it is let go.
fn blocked(folder: &Folder) -> (SqliteStore, Connection) {
    let path = folder.file("limits.db");
    let store = SqliteStore::builder(&path).timeout(20 * SECOND).open().unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    (store, other)
}

fn let_go(other: &Connection) {
    other.execute_batch("COMMIT").unwrap();
}

#[test]
fn promise_5_who_goes_away_before_the_request_is_sent_leaves_no_trace_and_what_others_need_is_done() {
    let folder = Folder::new();
    let (store, other) = blocked(&folder);
    let quota = quota(RATES);
    let acquire = Operation::acquire("key", &quota, 1);
    let penalize = Operation::new("key", Action::Penalize { quota: &quota, units: 100 });
    let never_polled = store.submit(Batch::from(&acquire));
    drop(never_polled);
    let mut polled = store.submit(Batch::from(&acquire)).into_future();
    assert!(pin!(&mut polled).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(polled);
    drop(store.submit(Batch::from(&penalize)));
    let stays = store.submit(Batch::from(&acquire));
    let_go(&other);
    assert!(stays.wait()[0].is_ok());
    assert_eq!(used(&store, "key", RATES), 101);
}

#[test]
fn who_drops_the_store_still_hears_what_was_asked_of_it() {
    let folder = Folder::new();
    let (store, other) = blocked(&folder);
    let quota = quota(RATES);
    let asked = store.submit(Batch::from(&Operation::acquire("key", &quota, 1)));
    drop(store);
    let_go(&other);
    assert!(matches!(asked.wait()[0], Ok(Reply::Acquired(_))));
    assert_eq!(used(&SqliteStore::open(folder.file("limits.db")).unwrap(), "key", RATES), 1);
}

#[test]
fn an_answer_comes_without_being_polled_and_by_the_waker_that_came_last() {
    let folder = Folder::new();
    let (store, other) = blocked(&folder);
    let quota = quota(RATES);
    let mut asked = store.submit(Batch::from(&Operation::acquire("key", &quota, 1))).into_future();
    assert!(pin!(&mut asked).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let_go(&other);
    await_that("it is counted", || used(&store, "key", RATES) == 1);
    let outcomes: Outcomes = pollster::block_on(asked);
    assert!(outcomes[0].is_ok());
}

#[test]
fn requests_of_a_process_that_wait_for_another_are_served_in_their_order() {
    let folder = Folder::new();
    let (store, other) = blocked(&folder);
    let quota = quota(RATES);
    let asked: Vec<Submission> =
        (1..=50).map(|weight| store.submit(Batch::from(&Operation::acquire("key", &quota, weight)))).collect();
    let_go(&other);
    let mut before = 0;
    for submission in asked {
        let Ok(Reply::Acquired(scupper::store::Verdict::Admitted(admission))) = submission.wait().remove(0) else {
            panic!("there is room for all")
        };
        assert_eq!(admission.sequence, before + admission.weight);
        before = admission.sequence;
    }
}

/// Many on one key, each admitted once, however they take turns.
fn all_are_counted(folder: &Folder, ask: impl FnOnce(Arc<Limiter>, u64)) {
    const REQUESTS: u64 = 2_000;
    let store = SqliteStore::builder(folder.file("limits.db")).timeout(20 * SECOND).open().unwrap();
    ask(Arc::new(limiting(RATES, &store).call_timeout(None).build().unwrap()), REQUESTS);
    assert_eq!(used(&store, "key", RATES), REQUESTS);
    is_sound(store.path());
}

async fn tasks(limiter: Arc<Limiter>, requests: u64) {
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move {
                for _ in 0..requests / 50 {
                    assert!(limiter.try_acquire_async("key").await.unwrap().is_admitted());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn tasks_on_a_runtime_of_one_thread_are_all_counted() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    all_are_counted(&Folder::new(), |limiter, requests| runtime.block_on(tasks(limiter, requests)));
}

#[test]
fn tasks_on_a_runtime_of_several_threads_are_all_counted() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    all_are_counted(&Folder::new(), |limiter, requests| runtime.block_on(tasks(limiter, requests)));
}

#[test]
fn threads_without_a_runtime_blocking_and_not_are_all_counted() {
    all_are_counted(&Folder::new(), |limiter, requests| {
        let left = AtomicU64::new(requests);
        thread::scope(|threads| {
            for thread in 0..8 {
                let (left, limiter) = (&left, &limiter);
                threads.spawn(move || {
                    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                        let decision = if thread % 2 == 0 {
                            limiter.try_acquire("key")
                        } else {
                            pollster::block_on(limiter.try_acquire_async("key"))
                        };
                        assert!(decision.unwrap().is_admitted());
                    }
                });
            }
        });
    });
}

#[test]
fn blocking_within_a_task_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    all_are_counted(&Folder::new(), |limiter, requests| {
        runtime.block_on(async {
            for _ in 0..requests {
                assert!(limiter.try_acquire("key").unwrap().is_admitted());
            }
        });
    });
}

#[test]
fn a_future_that_was_answered_and_is_polled_again_does_not_panic() {
    let folder = Folder::new();
    let (store, other) = blocked(&folder);
    let quota = quota(RATES);
    let mut asked = store.submit(Batch::from(&Operation::acquire("key", &quota, 1))).into_future();
    let_go(&other);
    assert!(pollster::block_on(&mut asked)[0].is_ok());
    assert!(matches!(pin!(&mut asked).poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
}
