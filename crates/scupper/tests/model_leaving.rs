//! Who leaves the waiting line, and when: nothing is lost, whatever else happens at that moment.
#![cfg(scupper_shuttle)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod model;

use scupper::{ErrorKind, ManualTimer};
use shuttle::future::block_on;
use shuttle::thread;

use crate::model::{HOUR, KEY, TICK, check, full, in_line, let_time_pass, limiter, poll, refund_all, request, used};

#[test]
fn a_grant_to_one_who_leaves_is_given_back() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, _held) = full("1/h", &timer);
        let waiting = in_line(&limiter);
        let leaves = thread::spawn(move || drop(waiting));
        timer.advance(HOUR + TICK);
        leaves.join().unwrap();
        assert_eq!((used(&limiter), timer.alarms()), (0, 0));
        assert!(limiter.try_acquire(KEY).unwrap().is_admitted());
    });
}

#[test]
fn the_next_one_is_served_whenever_the_first_one_leaves() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, _held) = full("1/h", &timer);
        let (first, second) = (in_line(&limiter), in_line(&limiter));
        let leaves = thread::spawn(move || drop(first));
        let stays = thread::spawn(move || block_on(second).unwrap());
        timer.advance(HOUR + TICK);
        leaves.join().unwrap();
        assert_eq!(stays.join().unwrap().tick().as_micros(), 3_600_000_001);
        assert_eq!((used(&limiter), timer.alarms()), (1, 0));
    });
}

#[test]
fn a_light_one_is_served_at_once_when_the_heavy_one_before_it_leaves() {
    check(|| {
        let timer = ManualTimer::new();
        let limiter = limiter("2/h", &timer);
        let _held = limiter.acquire(KEY).unwrap();
        let mut heavy = request(&limiter, 2, None);
        assert!(poll(&mut heavy).is_pending());
        let leaves = thread::spawn(move || drop(heavy));
        assert_eq!(limiter.acquire(KEY).unwrap().tick().as_micros(), 0);
        leaves.join().unwrap();
        assert_eq!((used(&limiter), timer.alarms()), (2, 0));
    });
}

#[test]
fn what_is_granted_and_what_is_in_use_agree_whoever_leaves() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, held) = full("2/h", &timer);
        let leaving = [(); 3]
            .map(|()| in_line(&limiter))
            .map(|mut waiting| thread::spawn(move || u64::from(poll(&mut waiting).is_ready())));
        let last = in_line(&limiter);
        refund_all(&limiter, held);
        let held: u64 = leaving.map(|leaving| leaving.join().unwrap()).iter().sum();
        let timer = timer.clone();
        let time = thread::spawn(move || let_time_pass(&timer));
        let last = block_on(last).unwrap();
        time.join().unwrap();
        let counted = if last.tick().as_micros() == 0 { held + 1 } else { 1 };
        assert_eq!(used(&limiter), counted);
    });
}

#[test]
fn who_runs_out_of_time_has_been_granted_or_leaves_no_trace() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, _held) = full("1/h", &timer);
        let mut first = request(&limiter, 1, Some(HOUR + TICK));
        assert!(poll(&mut first).is_pending());
        let second = in_line(&limiter);
        let first = thread::spawn(move || block_on(first).map_err(|error| error.kind()));
        let second = thread::spawn(move || block_on(second).unwrap());
        let clock = timer.clone();
        let moves = thread::spawn(move || clock.advance(HOUR));
        timer.advance(TICK);
        timer.advance(TICK);
        moves.join().unwrap();
        let now = used(&limiter);
        assert_eq!(now, 1, "one of both is served as soon as there is room");
        let_time_pass(&timer);
        if let Err(kind) = first.join().unwrap() {
            assert_eq!(kind, ErrorKind::Timeout);
        }
        second.join().unwrap();
        assert_eq!((used(&limiter), timer.alarms()), (1, 0));
    });
}
