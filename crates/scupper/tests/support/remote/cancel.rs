//! Whoever goes away while a server is being asked for them, at whatever point, leaves no trace, or has what was granted given back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use scupper::store::{Action, Batch, Operation, Reply, Store, Verdict};
use scupper_testbed::{Fault, await_that};

use crate::support::asks::ASKS;
use crate::support::remote::{RemoteBed, admits, patient, quota, submit};
use crate::support::{MILLISECOND, SECOND, Task};

const RATES: &str = "1000/h";

/// All keys begin so, and nothing else that is sent has it.
const ASKED: &str = "user:";

pub(crate) fn promise_5_what_a_batch_that_is_dropped_at_any_poll_has_sent_is_carried_out_once_and_the_rest_never<
    R: RemoteBed,
>() {
    let bed = R::make();
    let (store, quota) = (bed.one_by_one(), quota(RATES));
    bed.proxy().set(Fault::delay(3 * MILLISECOND));
    let mut dropped = 0;
    for polls in 1..40 {
        let keys: Vec<String> = (0..6).map(|number| format!("user:{polls}-{number}")).collect();
        let operations: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 2)).collect();
        let mut task = Task::new(store.submit(Batch::new(&operations)).into_future());
        let is_over = task.is_over_within(polls);
        drop(task);
        dropped += u32::from(!is_over);
        // What was on its way before it was dropped is carried out before this.
        let after = patient(RATES, &store);
        admits(&after, "user:after");
        let used: Vec<u64> = keys.iter().map(|key| bed.used(key, RATES)).collect();
        let may_be: &[u64] = if is_over { &[2] } else { &[0, 2] };
        assert!(used[0] == 2 && used.iter().all(|used| may_be.contains(used)), "{used:?}, over: {is_over}");
    }
    assert!(dropped > 0);
    assert_eq!(bed.proxy().connections(), 1);
}

pub(crate) fn promise_5_a_request_that_is_dropped_at_any_poll_is_given_back<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter(RATES);
    bed.proxy().set(Fault::delay(3 * MILLISECOND));
    let mut dropped = 0;
    for ask in ASKS {
        for polls in 1..4 {
            let mut task = ask(&limiter);
            let is_over = task.is_over_within(polls);
            drop(task);
            if is_over {
                limiter.reset("user:key").unwrap();
            } else {
                dropped += 1;
            }
            await_that("it is given back", || bed.used("user:key", RATES) == 0);
            // Once more, for what might come later.
            admits(&limiter, "user:key");
            assert_eq!(bed.used("user:key", RATES), 1);
            limiter.reset("user:key").unwrap();
        }
    }
    assert!(dropped >= 3, "{dropped}");
}

pub(crate) fn promise_5_what_was_not_sent_yet_leaves_no_trace<R: RemoteBed>() {
    let bed = R::make();
    let (store, quota) = (bed.one_by_one(), quota(RATES));
    let limiter = patient(RATES, &store);
    admits(&limiter, "user:first");
    bed.proxy().set(Fault::stall_replies().when_sent(ASKED));
    let mut first = Task::new(store.submit(Batch::from(&Operation::acquire("user:first", &quota, 1))).into_future());
    bed.proxy().await_strike();
    let gone = Task::new(store.submit(Batch::from(&Operation::acquire("user:gone", &quota, 1))).into_future());
    let mut stays = Task::new(store.submit(Batch::from(&Operation::acquire("user:stays", &quota, 1))).into_future());
    drop(gone);
    bed.proxy().heal();
    for task in [&mut first, &mut stays] {
        await_that("it is answered", || task.is_woken());
        assert!(task.output()[0].is_ok());
    }
    assert_eq!((bed.has("user:gone"), bed.has("user:stays")), (false, true));
}

pub(crate) fn promise_5_what_gives_back_or_holds_up_is_sent_though_nobody_stays_for_the_answer<R: RemoteBed>() {
    let bed = R::make();
    let store = bed.one_by_one();
    let limiter = patient(RATES, &store);
    let permit = limiter.request("user:refund").weight(5).acquire().unwrap();
    limiter.request("user:reset").weight(5).acquire().unwrap();
    bed.proxy().set(Fault::stall_replies().when_sent(ASKED));
    let mut first = Task::new(limiter.try_acquire_async("user:first"));
    bed.proxy().await_strike();
    drop(Task::new(limiter.refund_async(permit)));
    drop(Task::new(limiter.reset_async("user:reset")));
    drop(Task::new(limiter.penalize_async("user:penalize", 7)));
    drop(Task::new(limiter.hold_async("user:hold", 60 * SECOND)));
    drop(Task::new(limiter.peek_async("user:peek")));
    bed.proxy().heal();
    await_that("the first is answered", || first.is_woken());
    assert!(first.output().unwrap().is_admitted());
    await_that("the rest is done", || patient(RATES, bed.direct()).peek("user:hold").unwrap().held_until.is_some());
    assert_eq!(["user:refund", "user:reset", "user:penalize"].map(|key| bed.used(key, RATES)), [0, 0, 7]);
}

pub(crate) fn promise_5_a_store_gives_back_and_holds_up_though_nobody_stays_for_its_answer<R: RemoteBed>() {
    let bed = R::make();
    let (store, quota) = (bed.one_by_one(), quota(RATES));
    let acquire = |key| submit(bed.direct(), &Operation::acquire(key, &quota, 5)).unwrap();
    let Reply::Acquired(Verdict::Admitted(admission)) = acquire("user:refund") else { panic!("it fits") };
    acquire("user:reset");
    admits(&patient(RATES, &store), "user:first");
    bed.proxy().set(Fault::stall_replies().when_sent(ASKED));
    let ask = |operation: &Operation<'_>| Task::new(store.submit(Batch::from(operation)).into_future());
    let mut first = ask(&Operation::acquire("user:first", &quota, 1));
    bed.proxy().await_strike();
    drop(ask(&Operation::new("user:peek", Action::Peek { quota: &quota })));
    drop(ask(&Operation::new("user:refund", Action::Refund(admission))));
    drop(ask(&Operation::new("user:reset", Action::Reset)));
    drop(ask(&Operation::new("user:penalize", Action::Penalize { quota: &quota, units: 7 })));
    drop(ask(&Operation::acquire("user:gone", &quota, 1)));
    drop(ask(&Operation::new("user:hold", Action::Hold { quota: &quota, duration: 60 * SECOND })));
    bed.proxy().heal();
    await_that("the first is answered", || first.is_woken());
    assert!(first.output()[0].is_ok());
    await_that("the rest is done", || patient(RATES, bed.direct()).peek("user:hold").unwrap().held_until.is_some());
    assert_eq!(["user:refund", "user:reset", "user:penalize"].map(|key| bed.used(key, RATES)), [0, 0, 7]);
    assert!(!bed.has("user:gone"));
}

pub(crate) fn promise_5_who_goes_out_of_the_line_before_its_turn_is_never_asked_for<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter(RATES);
    admits(&limiter, "user:key");
    bed.proxy().set(Fault::stall_replies().when_sent(ASKED));
    let mut first = Task::new(limiter.acquire_async("user:key"));
    bed.proxy().await_strike();
    let gone = Task::new(limiter.request("user:key").weight(900).acquire_async());
    let mut last = Task::new(limiter.acquire_async("user:key"));
    drop(gone);
    bed.proxy().heal();
    for task in [&mut first, &mut last] {
        await_that("it is answered", || task.is_woken());
    }
    // What is counted goes up by what is asked for, whether or not it is given back.
    let sequences = [first.output().unwrap().sequence(), last.output().unwrap().sequence()];
    assert_eq!(sequences, [2, 3]);
}

pub(crate) fn promise_5_what_is_granted_to_one_who_has_gone_is_given_back_when_the_answer_comes<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter("5/h");
    admits(&limiter, "user:key");
    bed.proxy().set(Fault::stall_replies().when_sent(ASKED));
    let gone = Task::new(limiter.request("user:key").weight(4).acquire_async());
    bed.proxy().await_strike();
    await_that("it has been carried out", || bed.used("user:key", "5/h") == 5);
    let mut next = Task::new(limiter.request("user:key").weight(4).acquire_async());
    drop(gone);
    bed.proxy().heal();
    await_that("the next one is served", || next.is_woken() && !next.is_pending());
    assert_eq!((next.output().unwrap().sequence(), bed.used("user:key", "5/h")), (9, 5));
}

pub(crate) fn promise_5_many_who_go_at_any_time_leave_what_the_others_have<R: RemoteBed>() {
    let bed = R::make();
    let limiter = bed.limiter("1000000/h");
    let kept = AtomicU64::new(0);
    bed.proxy().set(Fault::delay(MILLISECOND));
    thread::scope(|threads| {
        for number in 0..4_usize {
            let (limiter, kept) = (&limiter, &kept);
            threads.spawn(move || {
                for turn in 0..150 {
                    let key = ["user:a", "user:b", "user:c"][(turn + number) % 3];
                    let mut task = Task::new(limiter.acquire_async(key));
                    if task.is_over_within(1 + (turn * 7 + number) % 4) {
                        kept.fetch_add(task.output().unwrap().weight(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let used = || ["user:a", "user:b", "user:c"].map(|key| bed.used(key, "1000000/h")).into_iter().sum::<u64>();
    let kept = kept.load(Ordering::Relaxed);
    await_that("all others are given back", || used() == kept);
    assert!(kept > 0);
    admits(&limiter, "user:a");
    assert_eq!(used(), kept + 1);
}

pub(crate) fn promise_5_a_dropped_list_ends<R: RemoteBed>() {
    let bed = R::make();
    let (store, quota) = (bed.one_by_one(), quota(RATES));
    let keys: Vec<String> = (0..300).map(|number| format!("team:{number}")).collect();
    let operations: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 1)).collect();
    assert!(store.submit(Batch::new(&operations)).wait().iter().all(Result::is_ok));
    bed.proxy().set(Fault::stall_replies().when_sent("team:"));
    let list = Operation::new("team:", Action::List { after: None, most: 10 });
    let task = Task::new(store.submit(Batch::from(&list)).into_future());
    bed.proxy().await_strike();
    drop(task);
    bed.proxy().heal();
    let limiter = patient(RATES, &store);
    admits(&limiter, "user:key");
    assert_eq!(limiter.list("team:", None, 10).unwrap().keys.len(), 10);
}
