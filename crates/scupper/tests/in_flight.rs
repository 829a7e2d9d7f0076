//! What happens while a call to the store is under way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::thread;

use scupper::store::Standing;
use scupper::{Cause, ErrorKind, Source, Timestamp};
use support::{Answers, HOUR, Kind, SECOND, TICK, Task, admitted, clock_and_store, denied, limiting, until};

#[test]
fn promise_5_requests_that_gather_during_a_call_go_out_together_and_in_order() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("100/h", &timer, &store).call_timeout(None).build().unwrap();
    let mut first = Task::new(limiter.acquire_async("key"));
    let mut waiting = Task::new(limiter.request("key").weight(2).acquire_async());
    let mut passing = Task::new(limiter.request("key").weight(3).try_acquire_async());
    let mut detailed = Task::new(limiter.request("key").weight(4).detailed_async());
    let mut last = Task::new(limiter.request("key").weight(5).reserve_async());
    assert_eq!((store.calls(), store.last_batch().len()), (1, 1), "one idle request waits for nobody");
    store.deliver();
    assert_eq!(first.output().unwrap().sequence(), 1);
    let batch: Vec<_> = store.last_batch().iter().map(|asked| (asked.kind, asked.units, asked.standing)).collect();
    let acquire = |units, standing| (Kind::Acquire, units, Some(standing));
    let expected = [
        acquire(2, Standing::Waiting),
        acquire(3, Standing::Passing),
        acquire(4, Standing::Passing),
        (Kind::Peek, 0, None),
        acquire(5, Standing::Waiting),
    ];
    assert_eq!(batch, expected);
    store.deliver();
    assert_eq!(waiting.output().unwrap().sequence(), 3);
    assert_eq!(admitted(passing.output().unwrap()).sequence(), 6);
    let detailed = detailed.output().unwrap();
    assert_eq!((detailed.snapshot.usage[0].used, detailed.decision.is_admitted()), (10, true));
    let reservation = last.output().unwrap();
    assert_eq!((reservation.weight(), store.calls(), store.waiting()), (5, 2, 0));
    drop(reservation);
    store.deliver_all();
    assert_eq!(store.used("key", "100/h"), 10);
}

#[test]
fn promise_5_one_who_does_not_wait_is_told_that_it_stands_behind_one_who_does() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("2/h", &timer, &store).call_timeout(None).build().unwrap();
    let _held = limiter.acquire("key").unwrap();
    store.answer(Answers::Later);
    let mut first = Task::new(limiter.acquire_async("other"));
    let mut heavy = Task::new(limiter.request("key").weight(2).acquire_async());
    // One joins while the heavy one is asked for, and is not asked for itself.
    let mut behind = Task::new(limiter.try_acquire_async("key"));
    store.deliver_all();
    assert!(first.output().is_ok());
    assert!(heavy.is_pending());
    let decision = behind.output().unwrap();
    assert_eq!((denied(&decision).cause(), denied(&decision).source()), (Cause::Queued, Source::Line));
    // One comes once the line rests.
    let decision = limiter.try_acquire("key").unwrap();
    assert_eq!((denied(&decision).cause(), denied(&decision).source()), (Cause::Queued, Source::Line));
    assert_eq!(denied(&decision).retry_after(), 2 * (HOUR + TICK), "two hours for three units");
    drop(heavy);
    let mut alone = Task::new(limiter.try_acquire_async("key"));
    store.deliver_all();
    assert_eq!(admitted(alone.output().unwrap()).weight(), 1, "nobody waits any more");
}

#[test]
fn promise_5_one_who_does_not_wait_is_held_up_by_one_who_does_in_the_same_batch() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("3/h", &timer, &store).call_timeout(None).build().unwrap();
    let _first = Task::new(limiter.acquire_async("key"));
    let mut heavy = Task::new(limiter.request("key").weight(3).acquire_async());
    let mut behind = Task::new(limiter.try_acquire_async("key"));
    store.deliver();
    assert_eq!(store.last_batch().len(), 2);
    store.deliver();
    assert!(heavy.is_pending());
    let decision = behind.output().unwrap();
    assert_eq!((denied(&decision).cause(), denied(&decision).source()), (Cause::Queued, Source::Store));
    assert_eq!(store.used("key", "3/h"), 1);
}

#[test]
fn promise_2_two_who_do_not_wait_do_not_hold_each_other_up() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("4/h", &timer, &store).call_timeout(None).build().unwrap();
    let mut first = Task::new(limiter.request("key").weight(2).try_acquire_async());
    let mut heavy = Task::new(limiter.request("key").weight(4).try_acquire_async());
    let mut medium = Task::new(limiter.request("key").weight(3).try_acquire_async());
    let mut light = Task::new(limiter.request("key").weight(2).try_acquire_async());
    store.deliver_all();
    assert!(admitted(first.output().unwrap()).weight() == 2);
    for task in [&mut heavy, &mut medium] {
        let decision = task.output().unwrap();
        assert_eq!((denied(&decision).cause(), denied(&decision).retry_after()), (Cause::Full, HOUR + TICK));
    }
    assert_eq!(admitted(light.output().unwrap()).weight(), 2);
}

#[test]
fn promise_5_threads_and_tasks_stand_in_one_line() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/s", &timer, &store).call_timeout(None).build().unwrap();
    let mut first = Task::new(limiter.acquire_async("key"));
    thread::scope(|scope| {
        let second = scope.spawn(|| limiter.acquire("key").unwrap().tick().as_micros());
        store.deliver();
        // It is denied, and sleeps, once it has joined and was answered.
        until(|| {
            store.deliver_all();
            timer.alarms() == 1
        });
        let mut third = Task::new(limiter.acquire_async("key"));
        timer.advance(SECOND + TICK);
        store.deliver_all();
        assert_eq!(second.join().unwrap(), 1_000_001);
        assert!(third.is_pending());
        timer.advance(SECOND + TICK);
        store.deliver_all();
        assert_eq!(third.output().unwrap().tick().as_micros(), 2_000_002);
    });
    assert_eq!(first.output().unwrap().tick().as_micros(), 0);
}

#[test]
fn promise_2_a_thread_that_does_not_wait_its_turn_blocks_until_the_store_answers() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/h", &timer, &store).call_timeout(None).build().unwrap();
    thread::scope(|scope| {
        let asking = scope.spawn(|| limiter.try_acquire("key").unwrap().is_admitted());
        until(|| store.waiting() == 1);
        assert!(!asking.is_finished());
        store.deliver();
        assert!(asking.join().unwrap());
        let looking = scope.spawn(|| limiter.peek("key").unwrap().usage[0].used);
        until(|| store.waiting() == 1);
        store.deliver();
        assert_eq!(looking.join().unwrap(), 1);
    });
}

#[test]
fn promise_2_rates_that_change_while_a_denial_is_on_its_way_hold_at_once() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/h", &timer, &store).call_timeout(None).build().unwrap();
    let _held = limiter.acquire("key").unwrap();
    store.answer(Answers::Later);
    let mut waiting = Task::new(limiter.acquire_async("key"));
    let mut passing = Task::new(limiter.try_acquire_async("other"));
    limiter.set_rates("2/h").unwrap();
    store.deliver_all();
    assert_eq!(waiting.output().unwrap().tick().as_micros(), 0);
    assert!(passing.output().unwrap().is_admitted());
}

#[test]
fn promise_2_what_is_given_back_while_a_denial_is_on_its_way_is_not_missed() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/h", &timer, &store).call_timeout(None).build().unwrap();
    let permit = limiter.acquire("key").unwrap();
    store.answer(Answers::Later);
    let mut waiting = Task::new(limiter.acquire_async("key"));
    let mut refund = Task::new(limiter.refund_async(permit));
    store.deliver_last();
    assert_eq!(refund.output().unwrap(), 1);
    store.deliver_all();
    assert_eq!(waiting.output().unwrap().tick().as_micros(), 0, "it fits, and nobody stands before it");
}

#[test]
fn promise_7_a_limiter_where_nobody_may_wait_still_decides() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/h", &timer, &store).call_timeout(None).max_waiting(0).build().unwrap();
    let mut first = Task::new(limiter.try_acquire_async("key"));
    store.deliver();
    assert!(first.output().unwrap().is_admitted());
    let mut second = Task::new(limiter.acquire_async("other"));
    store.deliver_all();
    assert!(second.output().is_ok(), "what fits needs not wait");
    let mut third = Task::new(limiter.acquire_async("key"));
    store.deliver_all();
    assert_eq!(third.output().unwrap_err().kind(), ErrorKind::QueueFull);
    let mut fourth = Task::new(limiter.request("key").timeout(std::time::Duration::ZERO).acquire_async());
    store.deliver_all();
    assert_eq!(fourth.output().unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn promise_6_a_time_of_the_callers_stands_still_for_one_who_does_not_wait_and_goes_on_for_one_who_does() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("100/h", &timer, &store).call_timeout(None).build().unwrap();
    let at = |seconds: u64| Timestamp::from_micros(seconds * 1_000_000);
    let mut first = Task::new(limiter.request("key").at(at(10)).try_acquire_async());
    let mut passing = Task::new(limiter.request("key").at(at(20)).try_acquire_async());
    let mut waiting = Task::new(limiter.request("key").at(at(30)).acquire_async());
    timer.advance(SECOND);
    store.deliver();
    assert_eq!(admitted(first.output().unwrap()).tick(), at(10));
    store.deliver();
    assert_eq!(admitted(passing.output().unwrap()).tick(), at(20));
    assert_eq!(waiting.output().unwrap().tick(), at(31));
}
