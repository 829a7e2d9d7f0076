//! What happens while a call to the store is under way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::thread;

use scupper::store::Standing;
use scupper::{Cause, ErrorKind, Source};
use support::{
    Answers, Failure, HOUR, Kind, MILLISECOND, SECOND, TICK, Task, admitted, clock_and_store, denied, limiting, until,
};

const LATER: [Answers; 2] = [Answers::Later, Answers::CarriedOutLater];

#[test]
fn promise_5_a_deadline_that_passes_during_a_call_is_unknown_and_what_is_admitted_yet_is_given_back() {
    for answers in LATER {
        let (timer, store) = clock_and_store();
        store.answer(answers);
        let limiter = limiting("5/h", &timer, &store).call_timeout(None).build().unwrap();
        let mut task = Task::new(limiter.request("key").timeout(SECOND).acquire_async());
        timer.advance(SECOND);
        assert!(task.is_pending(), "its deadline is now, and not over");
        timer.advance(TICK);
        assert_eq!(task.output().unwrap_err().kind(), ErrorKind::Unknown);
        store.deliver();
        assert_eq!(store.last_batch()[0].kind, Kind::Refund);
        store.deliver();
        assert_eq!((store.used("key", "5/h"), store.waiting()), (0, 0));
        assert_eq!((store.count(Kind::Acquire), store.count(Kind::Refund)), (1, 1));
    }
}

#[test]
fn promise_5_a_deadline_that_passes_before_the_request_is_sent_is_a_timeout_and_leaves_no_trace() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("5/h", &timer, &store).call_timeout(None).build().unwrap();
    let mut first = Task::new(limiter.acquire_async("key"));
    let mut second = Task::new(limiter.request("key").timeout(MILLISECOND).acquire_async());
    timer.advance(MILLISECOND);
    assert!(second.is_pending());
    timer.advance(TICK);
    assert_eq!(second.output().unwrap_err().kind(), ErrorKind::Timeout);
    store.deliver();
    assert_eq!(first.output().unwrap().weight(), 1);
    assert_eq!((store.calls(), store.used("key", "5/h")), (1, 1));
}

#[test]
fn promise_5_what_is_granted_to_one_who_has_gone_is_given_back_and_the_next_is_served() {
    for answers in LATER {
        let (timer, store) = clock_and_store();
        store.answer(answers);
        let limiter = limiting("1/h", &timer, &store).call_timeout(None).build().unwrap();
        let gone = Task::new(limiter.acquire_async("key"));
        let mut next = Task::new(limiter.acquire_async("key"));
        drop(gone);
        store.deliver_all();
        assert_eq!(next.output().unwrap().weight(), 1, "{answers:?}");
        assert_eq!((store.used("key", "1/h"), store.count(Kind::Refund)), (1, 1));
        assert_eq!(timer.alarms(), 0);
    }
}

#[test]
fn promise_5_the_next_is_served_though_the_refund_is_carried_out_after_it_was_denied() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::CarriedOutLater);
    let limiter = limiting("1/h", &timer, &store).call_timeout(None).build().unwrap();
    let gone = Task::new(limiter.acquire_async("key"));
    let mut next = Task::new(limiter.acquire_async("key"));
    drop(gone);
    store.deliver();
    assert_eq!(store.waiting(), 2, "the refund, and the next one's acquire");
    store.deliver_last();
    assert!(next.is_pending() && timer.alarms() == 1, "denied, it sleeps");
    store.deliver_all();
    assert_eq!(next.output().unwrap().tick().as_micros(), 0);
}

#[test]
fn promise_5_one_who_goes_while_its_denial_is_under_way_takes_nothing_and_holds_up_nobody() {
    for answers in LATER {
        let (timer, store) = clock_and_store();
        let limiter = limiting("2/h", &timer, &store).call_timeout(None).build().unwrap();
        let _held = limiter.acquire("key").unwrap();
        store.answer(answers);
        let heavy = Task::new(limiter.request("key").weight(2).acquire_async());
        let mut light = Task::new(limiter.acquire_async("key"));
        drop(heavy);
        store.deliver_all();
        assert_eq!(light.output().unwrap().weight(), 1);
        assert_eq!((store.used("key", "2/h"), store.count(Kind::Refund)), (2, 0));
    }
}

#[test]
fn promise_5_one_of_a_batch_goes_and_the_others_have_what_is_theirs() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("3/h", &timer, &store).call_timeout(None).build().unwrap();
    let mut first = Task::new(limiter.acquire_async("key"));
    let mut second = Task::new(limiter.acquire_async("key"));
    let third = Task::new(limiter.acquire_async("key"));
    let mut fourth = Task::new(limiter.acquire_async("key"));
    store.deliver();
    assert_eq!(store.last_batch().len(), 3);
    drop(third);
    store.deliver_all();
    for task in [&mut first, &mut second, &mut fourth] {
        assert_eq!(task.output().unwrap().tick().as_micros(), 0);
    }
    assert_eq!((store.used("key", "3/h"), store.count(Kind::Refund)), (3, 1));
}

#[test]
fn promise_5_a_grant_that_was_delivered_and_never_looked_at_is_given_back() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/h", &timer, &store).call_timeout(None).build().unwrap();
    let task = Task::new(limiter.acquire_async("key"));
    store.deliver();
    assert!(task.is_woken(), "its permit is there");
    drop(task);
    store.deliver_all();
    assert_eq!((store.used("key", "1/h"), store.count(Kind::Refund)), (0, 1));

    let non_waiting = Task::new(limiter.try_acquire_async("key"));
    store.deliver();
    drop(non_waiting);
    store.deliver_all();
    assert_eq!((store.used("key", "1/h"), store.count(Kind::Refund)), (0, 2));
}

#[test]
fn promise_5_a_refund_that_fails_leaves_the_units_charged_and_nobody_hangs() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Unknown, ErrorKind::Corrupt] {
        let (timer, store) = clock_and_store();
        store.fail(Failure::of(kind).only_of(Kind::Refund));
        store.answer(Answers::Later);
        let limiter = limiting("1/h", &timer, &store).call_timeout(None).build().unwrap();
        let gone = Task::new(limiter.acquire_async("key"));
        let mut next = Task::new(limiter.acquire_async("key"));
        drop(gone);
        store.deliver_all();
        assert_eq!((store.used("key", "1/h"), store.count(Kind::Refund)), (1, 1), "it is not repeated");
        assert!(next.is_pending());
        timer.advance(HOUR + TICK);
        store.deliver_all();
        assert_eq!(next.output().unwrap().tick().as_micros(), 3_600_000_001);
    }
}

#[test]
fn promise_5_a_refund_without_an_answer_holds_up_nobody() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("2/h", &timer, &store).call_timeout(None).build().unwrap();
    let gone = Task::new(limiter.acquire_async("key"));
    drop(gone);
    store.answer(Answers::Never);
    store.deliver();
    assert_eq!(store.last_batch()[0].kind, Kind::Refund);
    store.answer(Answers::AtOnce);
    assert_eq!(limiter.acquire("key").unwrap().weight(), 1);
    assert_eq!(limiter.acquire("other").unwrap().weight(), 1);
}

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
fn promise_5_close_sends_away_who_is_asked_for_and_who_gathers_and_what_is_granted_yet_is_given_back() {
    for answers in LATER {
        let (timer, store) = clock_and_store();
        store.answer(answers);
        let limiter = limiting("5/h", &timer, &store).call_timeout(None).build().unwrap();
        let mut asked_for = Task::new(limiter.acquire_async("key"));
        let mut gathering = Task::new(limiter.try_acquire_async("key"));
        limiter.close();
        assert_eq!(asked_for.output().unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(gathering.output().unwrap_err().kind(), ErrorKind::Closed);
        store.deliver_all();
        assert_eq!((store.used("key", "5/h"), store.count(Kind::Acquire), store.count(Kind::Refund)), (0, 1, 1));
        let mut late = Task::new(limiter.acquire_async("key"));
        assert_eq!(late.output().unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[test]
fn promise_5_a_closed_limiter_does_not_send_away_the_waiters_of_another_on_the_same_store() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let closed = limiting("5/h", &timer, &store).call_timeout(None).build().unwrap();
    let open = limiting("5/h", &timer, &store).call_timeout(None).build().unwrap();
    let mut gone = Task::new(closed.acquire_async("key"));
    let mut stays = Task::new(open.acquire_async("key"));
    closed.close();
    assert_eq!(gone.output().unwrap_err().kind(), ErrorKind::Closed);
    store.deliver_all();
    assert_eq!(stays.output().unwrap().weight(), 1);
    assert_eq!(store.used("key", "5/h"), 1);
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
fn promise_2_a_refund_that_nobody_waits_for_makes_room_when_it_is_carried_out() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/h", &timer, &store).build().unwrap();
    for is_dropped in [true, false] {
        store.answer(Answers::AtOnce);
        limiter.reset("key").unwrap();
        let permit = limiter.acquire("key").unwrap();
        store.answer(Answers::CarriedOutLater);
        let mut waiting = Task::new(limiter.acquire_async("key"));
        store.deliver();
        assert!(waiting.is_pending() && timer.alarms() == 1);
        let mut refund = Task::new(limiter.refund_async(permit));
        if is_dropped {
            drop(refund);
        } else {
            timer.advance(SECOND);
            assert_eq!(refund.output().unwrap_err().kind(), ErrorKind::Unknown);
        }
        // Who was told too early is denied once more.
        while store.waiting() > 1 {
            store.deliver_last();
        }
        store.deliver_all();
        assert_eq!(waiting.output().unwrap().weight(), 1, "dropped: {is_dropped}");
    }
}
