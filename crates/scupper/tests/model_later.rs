//! A store that answers later: whoever gives up on its answer, nothing is lost and nobody is left behind.
#![cfg(scupper_shuttle)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod model;

use std::future::ready;
use std::task::Poll;
use std::time::Duration;

use scupper::{Error, ErrorKind, Limiter, ManualTimer};
use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

use crate::model::{HOUR, KEY, TICK, Waiting, check, fill, later, poll, request};

const SECOND: Duration = Duration::from_secs(1);

/// One who has come and may wait so long; the answer may be there already.
fn come(limiter: &Limiter, timeout: Option<Duration>) -> Waiting {
    let mut waiting = request(limiter, 1, timeout);
    match poll(&mut waiting) {
        Poll::Ready(answer) => Box::pin(ready(answer)),
        Poll::Pending => waiting,
    }
}

/// Goes away, and gives back what it has got.
fn leave(limiter: &Limiter, mut waiting: Waiting) -> JoinHandle<()> {
    let limiter = limiter.clone();
    thread::spawn(move || {
        if let Poll::Ready(Ok(permit)) = poll(&mut waiting) {
            assert_eq!(limiter.refund(permit).unwrap(), 1);
        }
    })
}

#[test]
fn all_who_come_are_answered_and_never_over() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, office) = later::open("2/h", &timer);
        let comes = || {
            let limiter = limiter.clone();
            thread::spawn(move || u64::from(limiter.try_acquire(KEY).unwrap().is_admitted()))
        };
        let coming = [comes(), comes(), comes()];
        let admitted: u64 = coming.map(|coming| coming.join().unwrap()).iter().sum();
        assert_eq!((admitted, office.close(limiter)), (2, 2));
    });
}

#[test]
fn an_answer_to_one_who_left_is_given_back_and_the_next_one_is_served() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, office) = later::open("1/h", &timer);
        // The call for the first is under way at once.
        let (first, second) = (come(&limiter, None), come(&limiter, None));
        let leaves = leave(&limiter, first);
        let served = block_on(second).unwrap();
        assert_eq!(served.tick().as_micros(), 0);
        leaves.join().unwrap();
        assert_eq!(office.close(limiter), 1);
    });
}

#[test]
fn who_waits_is_served_when_another_thread_gives_back() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, office) = later::open("1/h", &timer);
        let held = fill(&limiter).pop().unwrap();
        let other = limiter.clone();
        let waits = thread::spawn(move || other.acquire(KEY).unwrap().into_owned());
        assert_eq!(limiter.refund(held).unwrap(), 1);
        waits.join().unwrap();
        assert_eq!((office.close(limiter), timer.alarms()), (1, 0));
    });
}

#[test]
fn a_grant_to_one_who_leaves_is_given_back() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, office) = later::open("1/h", &timer);
        let _held = fill(&limiter);
        let (first, second) = (come(&limiter, None), come(&limiter, None));
        let leaves = leave(&limiter, first);
        // At most the second tick is early enough for a call that was sent at the first.
        timer.advance(HOUR + TICK);
        leaves.join().unwrap();
        let held = block_on(second).map_or_else(|error| may_not_know(&error), |_| 1);
        assert_eq!((office.close(limiter), timer.alarms()), (held, 0));
    });
}

/// The clock went past the time that a call may take: its units are given back.
fn may_not_know(error: &Error) -> u64 {
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
    0
}

#[test]
fn what_a_call_took_that_was_answered_too_late_is_given_back() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, office) = later::open("1/h", &timer);
        let first = come(&limiter, None);
        let clock = timer.clone();
        let moves = thread::spawn(move || clock.advance(2 * SECOND));
        let held = block_on(first).map_or_else(|error| may_not_know(&error), |_| 1);
        moves.join().unwrap();
        assert_eq!(office.close(limiter), held);
    });
}

#[test]
fn a_deadline_that_passes_during_a_call_leaves_no_trace() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, office) = later::open("1/h", &timer);
        let first = come(&limiter, Some(SECOND / 2));
        let clock = timer.clone();
        let moves = thread::spawn(move || clock.advance(3 * SECOND / 4));
        let leaves = leave(&limiter, come(&limiter, None));
        let held = block_on(first).map_or_else(|error| may_not_know(&error), |_| 1);
        moves.join().unwrap();
        leaves.join().unwrap();
        assert_eq!(office.close(limiter), held);
    });
}

#[test]
fn a_limiter_that_closes_sends_all_away_and_keeps_nothing() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, office) = later::open("1/h", &timer);
        let comes = || {
            let limiter = limiter.clone();
            thread::spawn(move || match limiter.acquire(KEY) {
                Ok(_) => 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Closed);
                    0
                }
            })
        };
        let coming = [comes(), comes()];
        limiter.close();
        let held: u64 = coming.map(|coming| coming.join().unwrap()).iter().sum();
        assert_eq!((office.close(limiter), timer.alarms()), (held, 0));
    });
}

#[test]
fn no_denial_is_believed_once_something_was_given_back() {
    check(|| {
        let timer = ManualTimer::new();
        let (limiter, office) = later::open("1/h", &timer);
        let held = fill(&limiter).pop().unwrap();
        let other = limiter.clone();
        let tries = thread::spawn(move || u64::from(other.try_acquire(KEY).unwrap().is_admitted()));
        assert_eq!(limiter.refund(held).unwrap(), 1);
        let mut admitted = tries.join().unwrap();
        admitted += u64::from(limiter.try_acquire(KEY).unwrap().is_admitted());
        assert_eq!((admitted, office.close(limiter)), (1, 1));
    });
}
