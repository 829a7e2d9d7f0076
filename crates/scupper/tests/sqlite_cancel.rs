//! Whoever goes away while a file is waited for on their behalf, at whatever point, leaves no trace, or has what was granted given
//! back; all others go on.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rusqlite::Connection;
use scupper::store::{Action, Batch, Operation, Store};
use scupper::{Limiter, SqliteStore};
use scupper_testbed::await_that;
use support::asks::{ASKED_KEY, ASKS};
use support::folder::Folder;
use support::sqlite::{admits, is_sound, limiting, number, quota, used};
use support::{SECOND, Task};

const RATES: &str = "1000/h";

fn store(folder: &Folder) -> SqliteStore {
    SqliteStore::builder(folder.file("limits.db")).timeout(20 * SECOND).open().unwrap()
}

fn limiter(rates: &str, store: &SqliteStore) -> Limiter {
    limiting(rates, store).call_timeout(None).build().unwrap()
}

/// Somebody else who has the file until told to let it go.
struct Holder(Connection);

impl Holder {
    fn has(path: &Path) -> Self {
        let other = Connection::open(path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(other)
    }

    fn lets_go(self) {
        self.0.execute_batch("COMMIT").unwrap();
    }
}

#[test]
fn promise_5_what_is_dropped_while_another_has_the_file_is_never_carried_out_and_the_others_are() {
    let folder = Folder::new();
    let (store, quota) = (store(&folder), quota(RATES));
    let path = folder.file("limits.db");
    admits(&store, "first", RATES);
    // The first is the one that found the file taken, the others wait behind it; each of them goes once.
    for gone in 0..4 {
        let holder = Holder::has(&path);
        let keys: Vec<String> = (0..4).map(|number| format!("{gone}-{number}")).collect();
        let submit = |key| Task::new(store.submit(Batch::from(&Operation::acquire(key, &quota, 2))).into_future());
        let mut tasks: Vec<_> = keys.iter().map(|key| submit(key.as_str())).collect();
        assert!(tasks.iter_mut().all(Task::is_pending), "another has the file");
        drop(tasks.remove(gone));
        holder.lets_go();
        for task in &mut tasks {
            await_that("it is answered", || task.is_woken() && !task.is_pending());
            assert!(task.output()[0].is_ok());
        }
        let counted: Vec<u64> = keys.iter().map(|key| used(&store, key, RATES)).collect();
        let expected: Vec<u64> = (0..4).map(|number| if number == gone { 0 } else { 2 }).collect();
        assert_eq!(counted, expected);
    }
    assert_eq!(number(&path, "SELECT count(*) FROM bucket"), 13, "not even a row");
}

#[test]
fn promise_5_when_all_go_nobody_is_asked_for_and_the_next_is_served() {
    let folder = Folder::new();
    let (store, quota) = (store(&folder), quota(RATES));
    for round in 0..20 {
        let holder = Holder::has(&folder.file("limits.db"));
        let submit = || Task::new(store.submit(Batch::from(&Operation::acquire("key", &quota, 1))).into_future());
        let mut tasks: Vec<_> = (0..3).map(|_| submit()).collect();
        assert!(tasks.iter_mut().all(Task::is_pending));
        drop(tasks);
        holder.lets_go();
        admits(&store, "key", RATES);
        assert_eq!(used(&store, "key", RATES), round + 1);
    }
}

#[test]
fn promise_5_a_request_that_is_dropped_at_any_poll_is_given_back() {
    let folder = Folder::new();
    let store = store(&folder);
    let limiter = limiter(RATES, &store);
    let mut dropped = 0;
    for ask in ASKS {
        for polls in 1..5 {
            let holder = Holder::has(&folder.file("limits.db"));
            let mut task = ask(&limiter);
            // Dropped while the file is waited for, or once the answer is there and nobody has looked at it, or after that.
            let mut is_over = !task.is_pending();
            if polls == 1 {
                drop(task);
                holder.lets_go();
            } else {
                holder.lets_go();
                await_that("it was woken", || task.is_woken());
                is_over = task.is_over_within(polls - 1);
                drop(task);
            }
            if is_over {
                limiter.reset(ASKED_KEY).unwrap();
            } else {
                dropped += 1;
            }
            await_that("it is given back", || used(&store, ASKED_KEY, RATES) == 0);
            // Once more, for what might come later.
            admits(&store, ASKED_KEY, RATES);
            assert_eq!(used(&store, ASKED_KEY, RATES), 1);
            limiter.reset(ASKED_KEY).unwrap();
        }
    }
    assert!(dropped >= 6, "{dropped}");
}

#[test]
fn promise_5_what_gives_back_or_holds_up_is_done_though_nobody_stays_for_the_answer() {
    let folder = Folder::new();
    let store = store(&folder);
    let limiter = limiter(RATES, &store);
    let permit = limiter.request("refund").weight(5).acquire().unwrap();
    limiter.request("reset").weight(5).acquire().unwrap();
    let holder = Holder::has(&folder.file("limits.db"));
    drop(Task::new(limiter.refund_async(permit)));
    drop(Task::new(limiter.reset_async("reset")));
    drop(Task::new(limiter.penalize_async("penalize", 7)));
    drop(Task::new(limiter.hold_async("hold", 60 * SECOND)));
    drop(Task::new(limiter.peek_async("peek")));
    holder.lets_go();
    await_that("the rest is done", || limiter.peek("hold").unwrap().held_until.is_some());
    assert_eq!(["refund", "reset", "penalize"].map(|key| used(&store, key, RATES)), [0, 0, 7]);
}

#[test]
fn promise_5_who_goes_out_of_the_line_before_its_turn_is_never_asked_for() {
    let folder = Folder::new();
    let store = store(&folder);
    let limiter = limiter(RATES, &store);
    let holder = Holder::has(&folder.file("limits.db"));
    let mut first = Task::new(limiter.acquire_async("key"));
    let gone = Task::new(limiter.request("key").weight(900).acquire_async());
    let mut last = Task::new(limiter.acquire_async("key"));
    drop(gone);
    holder.lets_go();
    for task in [&mut first, &mut last] {
        await_that("it is answered", || task.is_woken());
    }
    await_that("the last is served", || last.is_woken() && !last.is_pending());
    // What is counted goes up by what is asked for, whether or not it is given back.
    assert_eq!([first.output().unwrap().sequence(), last.output().unwrap().sequence()], [1, 2]);
}

#[test]
fn promise_5_what_is_granted_to_one_who_has_gone_is_given_back_and_serves_the_next() {
    let folder = Folder::new();
    let store = store(&folder);
    let limiter = limiter("5/h", &store);
    admits(&store, "key", "5/h");
    let holder = Holder::has(&folder.file("limits.db"));
    let gone = Task::new(limiter.request("key").weight(4).acquire_async());
    let mut next = Task::new(limiter.request("key").weight(4).acquire_async());
    drop(gone);
    holder.lets_go();
    await_that("the next one is served", || next.is_woken() && !next.is_pending());
    next.output().unwrap();
    assert_eq!(used(&store, "key", "5/h"), 5);
}

#[test]
fn promise_5_many_who_go_at_any_time_leave_what_the_others_have() {
    let folder = Folder::new();
    let store = store(&folder);
    let limiter = limiter("1000000/h", &store);
    let (kept, gone) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|threads| {
        for number in 0..6_usize {
            let (limiter, kept, gone) = (&limiter, &kept, &gone);
            threads.spawn(move || {
                for turn in 0..300 {
                    let key = ["a", "b", "c"][(turn + number) % 3];
                    let mut task = Task::new(limiter.acquire_async(key));
                    if task.is_over_within(1 + (turn * 7 + number) % 3) {
                        kept.fetch_add(task.output().unwrap().weight(), Ordering::Relaxed);
                    } else {
                        gone.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        // Another process comes in between.
        for _ in 0..20 {
            let other = Connection::open(folder.file("limits.db")).unwrap();
            other.busy_timeout(20 * SECOND).unwrap();
            other.execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
        }
    });
    let counted = || ["a", "b", "c"].map(|key| used(&store, key, "1000000/h")).into_iter().sum::<u64>();
    let (kept, gone) = (kept.into_inner(), gone.into_inner());
    await_that("all others are given back", || counted() == kept);
    assert!(kept > 0 && gone > 0, "{kept} {gone}");
    admits(&store, "a", "1000000/h");
    assert_eq!(counted(), kept + 1);
    is_sound(&folder.file("limits.db"));
}

#[test]
fn promise_5_a_dropped_list_ends() {
    let folder = Folder::new();
    let (store, quota) = (store(&folder), quota(RATES));
    let keys: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let operations: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 1)).collect();
    assert!(store.submit(Batch::new(&operations)).wait().iter().all(Result::is_ok));
    let holder = Holder::has(&folder.file("limits.db"));
    let list = Operation::new("", Action::List { after: None, most: 10 });
    drop(Task::new(store.submit(Batch::from(&list)).into_future()));
    holder.lets_go();
    assert_eq!(limiter(RATES, &store).list("", None, 10).unwrap().keys.len(), 10);
}
