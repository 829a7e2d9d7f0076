//! The waiting line under every order of events: who comes, what is given back, what changes meanwhile.
#![cfg(scupper_shuttle)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod model;

use std::time::Duration;

use scupper::{ErrorKind, Limiter, ManualTimer, MemoryStore, Permit, Timer};
use shuttle::future::block_on;
use shuttle::thread;

use crate::model::{
    HOUR, KEY, TICK, assert_never_over, check, fill, full, in_line, join_all, let_time_pass, limiter, parse, poll,
    refund_all, request, used,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn all_who_come_while_time_moves_are_served_and_never_over() {
    check(|| {
        let timer = ManualTimer::auto_advancing();
        let limiter = limiter("2/s", &timer);
        let comes = |weight| {
            let limiter = limiter.clone();
            thread::spawn(move || limiter.request(KEY).weight(weight).acquire().unwrap().into_owned())
        };
        let coming = [1, 2, 1].map(comes);
        timer.advance(SECOND / 2);
        timer.advance(SECOND);
        let permits = coming.map(|coming| coming.join().unwrap());
        assert_never_over(&permits, 2, SECOND);
        let recent = permits.iter().filter(|permit| permit.tick() + SECOND >= timer.now());
        assert_eq!(used(&limiter), recent.map(Permit::weight).sum::<u64>(), "at {}: {permits:?}", timer.now());
    });
}

#[test]
fn waiters_are_served_in_the_order_in_which_they_joined() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, held) = full("1/s", &timer);
        let waiting = [(); 3].map(|()| in_line(&limiter));
        let waiting = waiting.map(|waiting| thread::spawn(move || block_on(waiting).unwrap()));
        let clock = timer.clone();
        let moves = thread::spawn(move || clock.advance(SECOND + TICK));
        timer.advance(SECOND / 2);
        timer.advance(SECOND + TICK);
        moves.join().unwrap();
        let_time_pass(&timer);
        let mut permits: Vec<_> = waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect();
        assert!(permits.is_sorted_by(|one, next| one.tick() < next.tick()));
        permits.extend(held);
        assert_never_over(&permits, 1, SECOND);
    });
}

#[test]
fn who_waits_is_served_when_another_thread_gives_back() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, held) = full("2/h", &timer);
        let waits = || {
            let limiter = limiter.clone();
            thread::spawn(move || limiter.acquire(KEY).unwrap().into_owned())
        };
        let waiting = [waits(), waits()];
        let giving = held.into_iter().map(|permit| {
            let limiter = limiter.clone();
            thread::spawn(move || limiter.refund(permit).unwrap())
        });
        for giving in giving.collect::<Vec<_>>() {
            assert_eq!(giving.join().unwrap(), 1);
        }
        join_all(waiting);
        assert_eq!((used(&limiter), timer.alarms()), (2, 0));
    });
}

#[test]
fn who_waits_is_served_when_the_bucket_is_reset_or_a_reservation_dropped() {
    check(|| {
        let timer = ManualTimer::new();
        let limiter = limiter("2/h", &timer);
        let reserved = limiter.request(KEY).reserve().unwrap().into_owned();
        let _held = limiter.acquire(KEY).unwrap();
        let waiting =
            [in_line(&limiter), in_line(&limiter)].map(|waiting| thread::spawn(|| block_on(waiting).unwrap()));
        let drops = thread::spawn(move || drop(reserved));
        assert!(limiter.reset(KEY).unwrap());
        drops.join().unwrap();
        join_all(waiting);
        // One of them may have been served before the bucket was reset.
        assert!((1..=2).contains(&used(&limiter)) && timer.alarms() == 0);
    });
}

#[test]
fn whoever_comes_while_a_limiter_closes_is_sent_away() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, _held) = full("1/h", &timer);
        let comes = || {
            let limiter = limiter.clone();
            thread::spawn(move || limiter.acquire(KEY).unwrap_err().kind())
        };
        let coming = [comes(), comes()];
        limiter.close();
        assert_eq!(coming.map(|coming| coming.join().unwrap()), [ErrorKind::Closed; 2]);
        assert_eq!((used(&limiter), timer.alarms()), (1, 0));
    });
}

#[test]
fn who_waits_is_held_to_the_rates_that_were_set_last() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, _held) = full("1/h", &timer);
        let mut waiting = [in_line(&limiter), in_line(&limiter)];
        let other = limiter.clone();
        let sets = thread::spawn(move || other.set_rates("2/h").unwrap());
        limiter.set_rates("3/h").unwrap();
        sets.join().unwrap();
        let served: u64 = waiting.iter_mut().map(|waiting| u64::from(poll(waiting).is_ready())).sum();
        let limit = limiter.peek(KEY).unwrap().usage[0].rate.limit();
        assert!(served + 1 >= limit, "{served} are served, and the limit is {limit}");
        assert_eq!(used(&limiter), served + 1);
    });
}

#[test]
fn who_joins_while_rates_are_set_is_held_to_them() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, _held) = full("1/h", &timer);
        let other = limiter.clone();
        let sets = thread::spawn(move || other.set_rates("3/h").unwrap());
        let mut joining = request(&limiter, 1, None);
        let is_served = poll(&mut joining).is_ready();
        sets.join().unwrap();
        assert!(is_served || poll(&mut joining).is_ready(), "two of three units are free, and it waits for an hour");
    });
}

#[test]
fn a_line_that_ends_loses_nobody_who_joins_it() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, held) = full("1/h", &timer);
        let last = in_line(&limiter);
        let leaves = thread::spawn(move || drop(last));
        let other = limiter.clone();
        let joins = thread::spawn(move || other.acquire(KEY).unwrap().into_owned());
        refund_all(&limiter, held);
        leaves.join().unwrap();
        joins.join().unwrap();
        assert_eq!((used(&limiter), timer.alarms()), (1, 0));
        timer.advance(HOUR + TICK);
        assert!(limiter.try_acquire(KEY).unwrap().is_admitted(), "the line is over");
    });
}

#[test]
fn who_does_not_wait_never_jumps_the_line() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, held) = full("2/h", &timer);
        let bucket = limiter.bucket(KEY).unwrap();
        let mut heavy = request(&limiter, 2, None);
        assert!(poll(&mut heavy).is_pending());
        let other = limiter.clone();
        let tries = thread::spawn(move || {
            assert!(!other.try_acquire(KEY).unwrap().is_admitted());
            assert!(!bucket.try_acquire().unwrap().is_admitted());
        });
        refund_all(&limiter, held);
        assert_eq!(block_on(heavy).unwrap().weight(), 2);
        tries.join().unwrap();
        assert_eq!(used(&limiter), 2);
    });
}

#[test]
fn limiters_on_one_store_share_its_lines() {
    check(|| {
        let timer = ManualTimer::new();
        let store = MemoryStore::builder().timer(timer.clone()).build();
        let open = || Limiter::builder().rates(parse("1/h")).store(store.clone()).timer(timer.clone()).build().unwrap();
        let one = open();
        let held = fill(&one).pop().unwrap();
        let first = in_line(&one);
        let other = thread::spawn({
            let other = open();
            move || other.acquire(KEY).unwrap().into_owned()
        });
        let closes = thread::spawn({
            let one = one.clone();
            move || one.close()
        });
        assert_eq!(one.refund(held).unwrap(), 1);
        closes.join().unwrap();
        match block_on(first) {
            Ok(permit) => assert_eq!(one.refund(permit).unwrap(), 1),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
        }
        other.join().unwrap();
        assert_eq!((used(&open()), timer.alarms()), (1, 0));
    });
}
