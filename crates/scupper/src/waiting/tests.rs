//! The line on a key, by itself.

use std::time::Duration;

use crate::quota::{Algorithm, Quota};
use crate::time::Timestamp;
use crate::waiting::claim::Claim;
use crate::waiting::entry::Entry;
use crate::waiting::exchange::{Next, Said};
use crate::waiting::queue::Queue;

const START: Timestamp = Timestamp::ZERO;
const TICK: Duration = Duration::from_micros(1);

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// A line of these weights, the first two of which are being asked for.
fn asked<const N: usize>(weights: [u64; N]) -> Queue<&'static str> {
    let mut queue = Queue::default();
    for weight in weights {
        let quota = Quota::new(Algorithm::default(), "9/s").unwrap();
        let claim = Claim { quota, follows: true, weight, at: None, waits: true, timeout: None, detailed: false };
        queue.join(Entry::new(claim, START, "somebody"));
    }
    assert_eq!(queue.next(START, |_, _| true), Next::Ask);
    queue
}

/// The same, whose first one has to wait for ten microseconds.
fn resting(weights: [u64; 3]) -> Queue<&'static str> {
    let mut queue = asked(weights);
    let pause = Duration::from_micros(10);
    queue.answered((START, START), false, &[Said::Denied(pause), Said::Queued(pause)]);
    queue
}

#[test]
fn a_denial_is_not_believed_if_something_was_given_back_meanwhile() {
    let mut queue = asked([1]);
    queue.release();
    queue.answered((START, START), false, &[Said::Denied(Duration::from_hours(1))]);
    assert_eq!(queue.next(START, |_, _| true), Next::Ask);
    queue.answered((START, START), false, &[Said::Denied(TICK)]);
    assert_eq!(queue.next(START, |_, _| true), Next::Sleep(START + TICK));
}

#[test]
fn a_pause_begins_when_the_store_is_asked_and_takes_a_tick_at_least() {
    for (pause, due) in [(7, 7), (3, 3), (1, 6), (0, 6)] {
        let mut queue = asked([1]);
        queue.answered((START, at(5)), false, &[Said::Denied(Duration::from_micros(pause))]);
        assert_eq!(queue.next(START, |_, _| true), Next::Sleep(at(due)), "after {pause}");
    }
}

#[test]
fn who_asks_for_the_same_as_the_first_one_that_left_waits_as_long() {
    let mut queue = resting([2, 2, 1]);
    assert!(queue.give_up(0, |_, _| true).is_some());
    assert_eq!(queue.next(at(1), |_, _| true), Next::Sleep(at(10)));
    assert!(queue.give_up(1, |_, _| true).is_some());
    assert_eq!(queue.next(at(1), |_, _| true), Next::Ask, "the last one is lighter, and may fit at once");

    let mut queue = resting([2, 2, 2]);
    assert!(queue.give_up(0, |_, _| false).is_some());
    assert_eq!(queue.next(at(1), |_, _| true), Next::Ask, "what its own limiter would say is not known");
}

#[test]
fn a_store_that_holds_up_everybody_behind_nobody_is_not_asked_without_end() {
    let mut queue = asked([1, 1]);
    queue.answered((START, START), false, &[Said::Queued(Duration::ZERO), Said::Queued(Duration::ZERO)]);
    assert_eq!(queue.next(START, |_, _| true), Next::Sleep(START + TICK));
}
