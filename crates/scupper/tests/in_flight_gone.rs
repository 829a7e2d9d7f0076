//! Those who go away, or have no time left, while the store is being asked for them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::ErrorKind;
use support::{Answers, Failure, HOUR, Kind, MILLISECOND, SECOND, TICK, Task, clock_and_store, limiting};

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
