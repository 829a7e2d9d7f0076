//! Denials of a remote store that are believed for a while.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::Duration;

use scupper::{Algorithm, Cause, Decision, Limiter, ManualTimer, Quota, Source, Timestamp};
use support::{
    Answers, HOUR, Kind, MILLISECOND, SECOND, Scripted, TICK, Task, admitted, clock_and_store, denied, limiting,
};

/// Decides on a store that answers after so long.
fn ask<'a>(limiter: &'a Limiter, weight: u64, timer: &ManualTimer, store: &Scripted, after: Duration) -> Decision<'a> {
    let mut task = Task::new(limiter.request("key").weight(weight).try_acquire_async());
    timer.advance(after);
    store.deliver_all();
    task.output().unwrap()
}

/// Full to the brim, and known to be.
fn full(rates: &str) -> (ManualTimer, Scripted, Limiter) {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting(rates, &timer, &store).build().unwrap();
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
    let decision = ask(&limiter, 1, &timer, &store, Duration::ZERO);
    assert_eq!(denied(&decision).source(), Source::Store);
    (timer, store, limiter)
}

#[test]
fn promise_4_a_flood_makes_one_call_in_100_ms_and_each_is_told_the_exact_wait() {
    let (timer, store, limiter) = full("1/s");
    let calls = store.calls();
    for passed in 0..100 {
        let decision = ask(&limiter, 1, &timer, &store, Duration::ZERO);
        let denied = denied(&decision);
        assert_eq!((denied.source(), denied.cause()), (Source::DenialCache, Cause::Full));
        assert_eq!(denied.retry_after(), Duration::from_micros(1_000_001 - passed * 1_000));
        assert_eq!(denied.binding_rate(), Some("1/s".parse().unwrap()));
        timer.advance(MILLISECOND);
    }
    assert_eq!(store.calls(), calls);
    let decision = ask(&limiter, 1, &timer, &store, Duration::ZERO);
    assert_eq!((denied(&decision).source(), store.calls()), (Source::Store, calls + 1), "100 ms are over");
}

#[test]
fn promise_4_a_denial_is_believed_from_when_the_call_was_sent() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/s", &timer, &store).build().unwrap();
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
    assert_eq!(denied(&ask(&limiter, 1, &timer, &store, 60 * MILLISECOND)).source(), Source::Store);
    timer.advance(Duration::from_micros(39_999));
    assert_eq!(denied(&ask(&limiter, 1, &timer, &store, Duration::ZERO)).source(), Source::DenialCache);
    timer.advance(TICK);
    assert_eq!(denied(&ask(&limiter, 1, &timer, &store, 100 * MILLISECOND)).source(), Source::Store);
    // An answer that took as long as it is believed tells nothing any more.
    assert_eq!(denied(&ask(&limiter, 1, &timer, &store, Duration::ZERO)).source(), Source::Store);
}

#[test]
fn promise_2_a_denial_is_not_believed_once_the_request_would_be_admitted() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/20ms", &timer, &store).build().unwrap();
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
    assert_eq!(denied(&ask(&limiter, 1, &timer, &store, 5 * MILLISECOND)).source(), Source::Store);
    timer.advance(15 * MILLISECOND);
    assert_eq!(denied(&ask(&limiter, 1, &timer, &store, Duration::ZERO)).source(), Source::DenialCache);
    timer.advance(TICK);
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
}

#[test]
fn promise_2_what_happens_to_the_bucket_in_this_process_ends_the_belief() {
    type Change = fn(&Limiter, scupper::Permit<'static>);
    let changes: [(&str, Change, bool); 5] = [
        ("refund", |limiter, permit| assert_eq!(limiter.refund(permit).unwrap(), 1), true),
        ("reset", |limiter, _| assert!(limiter.reset("key").unwrap()), true),
        ("penalize", |limiter, _| assert!(limiter.penalize("key", 1).is_ok()), false),
        ("hold", |limiter, _| assert!(limiter.hold("key", HOUR).is_ok()), false),
        ("penalize by handle", |limiter, _| assert!(limiter.bucket("key").unwrap().penalize(1).is_ok()), false),
    ];
    for (name, change, makes_room) in changes {
        for answers in [Answers::AtOnce, Answers::Later, Answers::CarriedOutLater] {
            let (timer, store) = clock_and_store();
            let limiter = limiting("1/h", &timer, &store).build().unwrap();
            let permit = limiter.acquire("key").unwrap().into_owned();
            store.answer(Answers::Later);
            assert_eq!(denied(&ask(&limiter, 1, &timer, &store, Duration::ZERO)).source(), Source::Store);
            assert_eq!(denied(&ask(&limiter, 1, &timer, &store, Duration::ZERO)).source(), Source::DenialCache);
            store.answer(answers);
            std::thread::scope(|scope| {
                let changing = scope.spawn(|| change(&limiter, permit));
                support::until(|| {
                    store.deliver_all();
                    changing.is_finished()
                });
            });
            store.answer(Answers::Later);
            let decision = ask(&limiter, 1, &timer, &store, Duration::ZERO);
            assert_eq!((decision.is_admitted(), decision.source()), (makes_room, Source::Store), "{name}");
        }
    }
}

#[test]
fn promise_2_a_settlement_ends_the_belief() {
    for (units, is_admitted) in [(0, true), (1, true), (3, false)] {
        let (timer, store) = clock_and_store();
        let limiter = limiting("2/h", &timer, &store).build().unwrap();
        let reservation = limiter.request("key").weight(2).reserve().unwrap();
        store.answer(Answers::Later);
        assert_eq!(denied(&ask(&limiter, 1, &timer, &store, Duration::ZERO)).source(), Source::Store);
        let mut settling = Task::new(reservation.settle_async(units));
        store.deliver_all();
        settling.output().unwrap();
        let decision = ask(&limiter, 1, &timer, &store, Duration::ZERO);
        assert_eq!((decision.is_admitted(), decision.source()), (is_admitted, Source::Store));
    }
}

#[test]
fn promise_2_a_dropped_reservation_ends_the_belief() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/h", &timer, &store).build().unwrap();
    let reservation = limiter.request("key").reserve().unwrap();
    store.answer(Answers::Later);
    assert!(!ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
    drop(reservation);
    store.deliver_all();
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
}

#[test]
fn promise_2_only_the_same_request_is_answered_from_it() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("3/h", &timer, &store).build().unwrap();
    let _held = limiter.acquire("key").unwrap();
    store.answer(Answers::Later);
    assert!(!ask(&limiter, 3, &timer, &store, Duration::ZERO).is_admitted());
    let known = ask(&limiter, 3, &timer, &store, Duration::ZERO);
    assert_eq!(denied(&known).source(), Source::DenialCache);
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted(), "another weight");

    let mut other_key = Task::new(limiter.request("other").weight(3).try_acquire_async());
    store.deliver_all();
    assert!(other_key.output().unwrap().is_admitted());

    for quota in ["4/h", "3/h, 5/d"] {
        let quota = Quota::new(Algorithm::default(), quota.parse::<scupper::Rates>().unwrap()).unwrap();
        let bucket = limiter.bucket_under("key", &quota).unwrap();
        let mut other_rates = Task::new(bucket.request().weight(3).try_acquire_async());
        assert!(other_rates.is_pending(), "the store is asked");
        store.deliver_all();
        assert_eq!(denied(&other_rates.output().unwrap()).source(), Source::Store);
    }
}

#[test]
fn promise_5_who_waits_asks_all_the_same_and_who_has_no_time_to_does_not() {
    let (timer, store, limiter) = full("1/h");
    let calls = store.calls();
    let mut waiting = Task::new(limiter.acquire_async("key"));
    assert_eq!(store.calls(), calls + 1);
    store.deliver_all();
    assert!(waiting.is_pending());
    drop(waiting);
    let mut hasty = Task::new(limiter.request("key").timeout(Duration::ZERO).acquire_async());
    assert_eq!(hasty.output().unwrap_err().kind(), scupper::ErrorKind::Timeout);
    assert_eq!((store.calls(), timer.alarms()), (calls + 1, 0));
}

#[test]
fn promise_2_one_behind_a_waiter_teaches_nothing() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("3/h", &timer, &store).build().unwrap();
    let mut first = Task::new(limiter.acquire_async("key"));
    let heavy = Task::new(limiter.request("key").weight(3).acquire_async());
    let mut behind = Task::new(limiter.try_acquire_async("key"));
    store.deliver_all();
    assert!(first.output().is_ok());
    assert_eq!(denied(&behind.output().unwrap()).cause(), Cause::Queued);
    drop(heavy);
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
}

#[test]
fn promise_4_stores_that_answer_at_once_are_always_asked() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/h", &timer, &store).build().unwrap();
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
    for call in 2..12 {
        assert_eq!(denied(&ask(&limiter, 1, &timer, &store, Duration::ZERO)).source(), Source::Store);
        assert_eq!(store.calls(), call);
    }
    assert_eq!(timer.alarms(), 0);
}

#[test]
fn a_detailed_request_is_answered_from_it_and_looks_at_the_bucket() {
    let (_, store, limiter) = full("1/h");
    let (acquires, peeks) = (store.count(Kind::Acquire), store.count(Kind::Peek));
    let mut detailed = Task::new(limiter.request("key").detailed_async());
    store.deliver_all();
    let detailed = detailed.output().unwrap();
    assert_eq!((detailed.decision.source(), detailed.snapshot.usage[0].used), (Source::DenialCache, 1));
    assert_eq!((store.count(Kind::Acquire), store.count(Kind::Peek)), (acquires, peeks + 1));
}

#[test]
fn promise_7_no_more_than_so_many_keys_are_known() {
    const KEYS: usize = 10_001;
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/h", &timer, &store).denial_cache(HOUR).build().unwrap();
    let keys: Vec<_> = (0..KEYS).map(|key| format!("key:{key}")).collect();
    for key in &keys {
        store.take(key, "1/h", 1);
    }
    store.answer(Answers::Later);
    for key in &keys {
        let mut task = Task::new(limiter.try_acquire_async(key));
        store.deliver();
        assert!(!task.output().unwrap().is_admitted());
    }
    let mut forgotten = 0;
    for key in &keys {
        let mut task = Task::new(limiter.try_acquire_async(key));
        forgotten += usize::from(task.is_pending());
        store.deliver_all();
        assert!(!task.output().unwrap().is_admitted());
    }
    assert!(forgotten > 0, "{KEYS} keys are known");
    let last = limiter.try_acquire(&keys[KEYS - 1]).unwrap();
    assert_eq!(denied(&last).source(), Source::DenialCache);
}

#[test]
fn a_permit_that_comes_back_after_a_denial_goes_to_the_next_who_asks() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/h", &timer, &store).build().unwrap();
    let permit = admitted(ask(&limiter, 1, &timer, &store, Duration::ZERO)).into_owned();
    assert!(!ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
    let mut refund = Task::new(limiter.refund_async(permit));
    store.deliver_all();
    assert_eq!(refund.output().unwrap(), 1);
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
}

#[test]
fn promise_2_a_denial_that_was_on_its_way_when_room_was_made_is_not_believed() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/h", &timer, &store).build().unwrap();
    let permit = limiter.acquire("key").unwrap();
    store.answer(Answers::Later);
    let mut overtaken = Task::new(limiter.try_acquire_async("key"));
    let mut refund = Task::new(limiter.refund_async(permit));
    store.deliver_last();
    assert_eq!(refund.output().unwrap(), 1);
    store.deliver();
    assert_eq!(denied(&overtaken.output().unwrap()).source(), Source::Store);
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
}

#[test]
fn promise_2_a_denial_under_rates_that_changed_on_its_way_is_not_believed_under_the_new_ones() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/h", &timer, &store).build().unwrap();
    let _held = limiter.acquire("key").unwrap();
    store.answer(Answers::Later);
    let mut overtaken = Task::new(limiter.try_acquire_async("key"));
    limiter.set_rates("2/h").unwrap();
    store.deliver();
    assert_eq!(denied(&overtaken.output().unwrap()).retry_after(), HOUR + TICK);
    assert!(ask(&limiter, 1, &timer, &store, Duration::ZERO).is_admitted());
}

#[test]
fn promise_4_a_denial_that_was_on_its_way_when_the_bucket_was_held_is_not_believed() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/s", &timer, &store).build().unwrap();
    let _held = limiter.acquire("key").unwrap();
    store.answer(Answers::Later);
    let mut overtaken = Task::new(limiter.try_acquire_async("key"));
    let mut hold = Task::new(limiter.hold_async("key", HOUR));
    store.deliver_last();
    assert!(hold.output().is_ok());
    store.deliver();
    assert_eq!(denied(&overtaken.output().unwrap()).cause(), Cause::Full);
    let decision = ask(&limiter, 1, &timer, &store, Duration::ZERO);
    assert_eq!((denied(&decision).cause(), denied(&decision).retry_after()), (Cause::Held, HOUR));
}

#[test]
fn promise_4_a_request_that_brings_its_own_time_is_not_answered_from_it() {
    let (timer, store) = clock_and_store();
    store.answer(Answers::Later);
    let limiter = limiting("1/s", &timer, &store).build().unwrap();
    for (micros, is_admitted) in [(0, true), (1_000_000, false), (1_000_001, true), (1_000_002, false)] {
        let at = Timestamp::from_micros(micros);
        let mut task = Task::new(limiter.request("key").at(at).try_acquire_async());
        store.deliver_all();
        assert_eq!(task.output().unwrap().is_admitted(), is_admitted, "at {at}");
    }
    let mut now = Task::new(limiter.try_acquire_async("key"));
    assert!(now.is_pending(), "what was decided at another time tells nothing about now");
    store.deliver_all();
    assert_eq!(denied(&now.output().unwrap()).source(), Source::Store);
}

#[test]
fn promise_8_zero_turns_it_off_and_each_limiter_believes_as_long_as_it_is_set_to() {
    let (timer, store) = clock_and_store();
    let build = |keep| limiting("1/h", &timer, &store).denial_cache(keep).build().unwrap();
    let (never, briefly, long) = (build(Duration::ZERO), build(10 * MILLISECOND), build(SECOND));
    let _held = never.acquire("key").unwrap();
    store.answer(Answers::Later);
    for _ in 0..3 {
        assert_eq!(denied(&ask(&never, 1, &timer, &store, Duration::ZERO)).source(), Source::Store);
    }
    assert_eq!(denied(&ask(&long, 1, &timer, &store, Duration::ZERO)).source(), Source::Store);
    assert_eq!(denied(&ask(&never, 1, &timer, &store, Duration::ZERO)).source(), Source::Store);
    timer.advance(Duration::from_micros(9_999));
    assert_eq!(denied(&ask(&briefly, 1, &timer, &store, Duration::ZERO)).source(), Source::DenialCache);
    timer.advance(TICK);
    assert_eq!(denied(&ask(&briefly, 1, &timer, &store, Duration::ZERO)).source(), Source::Store);
    assert_eq!(denied(&ask(&long, 1, &timer, &store, Duration::ZERO)).source(), Source::DenialCache);
    timer.advance(900 * MILLISECOND);
    assert_eq!(denied(&ask(&long, 1, &timer, &store, Duration::ZERO)).source(), Source::DenialCache);
}

#[test]
fn promise_4_a_flood_that_gathers_during_a_call_hardly_reaches_the_store() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1/h", &timer, &store).build().unwrap();
    let _held = limiter.acquire("key").unwrap();
    store.answer(Answers::Later);
    let calls = store.calls();
    let mut flood: Vec<_> = (0..1_000).map(|_| Task::new(limiter.try_acquire_async("key"))).collect();
    store.deliver_all();
    for task in &mut flood {
        assert_eq!(denied(&task.output().unwrap()).cause(), Cause::Full);
    }
    assert_eq!(store.calls(), calls + 1);
}

#[test]
fn promise_5_a_flood_of_requests_of_all_weights_goes_out_in_few_calls() {
    let (timer, store) = clock_and_store();
    let limiter = limiting("1000000/h", &timer, &store).build().unwrap();
    let _held = limiter.request("key").weight(1_000_000).acquire().unwrap();
    store.answer(Answers::Later);
    let ask = |weight| Task::new(limiter.request("key").weight(weight).try_acquire_async());
    let calls = store.calls();
    let mut flood: Vec<_> = (1..=500).map(ask).collect();
    store.deliver_all();
    for task in &mut flood {
        assert_eq!(denied(&task.output().unwrap()).cause(), Cause::Full);
    }
    assert!(store.calls() - calls <= 10, "{} calls for 500 requests", store.calls() - calls);
}
