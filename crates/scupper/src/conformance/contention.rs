//! Many threads on one key, on the store's own clock.

use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use crate::conformance::kit::{admitted, denied, log, micros, quota, under_each};
use crate::conformance::subject::Subject;
use crate::decision::Decision;
use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::{Operation, Verdict};

const THREADS: usize = 4;
const ROUNDS: usize = 600;

/// Of all that several threads are admitted, by whatever door, no closed window of any rate holds more than the limit.
pub fn promise_1_never_over_in_any_closed_window_across_threads(subject: &Subject) {
    let quota = log("10/2ms, 30/10ms, 80/50ms");
    let given = hammer(subject, &quota);
    for rate in quota.rates() {
        let interval = micros(rate.interval());
        for (first, (start, _)) in given.iter().enumerate() {
            let within = given[first..].iter().take_while(|(tick, _)| tick - start <= interval);
            let sum: u64 = within.map(|(_, weight)| weight).sum();
            assert!(sum <= rate.limit(), "{sum} units within {rate} from {start} on");
        }
    }
}

/// The same for fixed windows: none holds more than the limit.
pub fn promise_1_never_over_in_any_fixed_window_across_threads(subject: &Subject) {
    let quota = quota(Algorithm::FixedWindow, "10/2ms, 30/10ms, 80/50ms");
    let given = hammer(subject, &quota);
    for rate in quota.rates() {
        for window in given.chunk_by(|one, other| number(rate, one.0) == number(rate, other.0)) {
            let sum: u64 = window.iter().map(|(_, weight)| weight).sum();
            assert!(sum <= rate.limit(), "{sum} units within {rate} at {}", window[0].0);
        }
    }
}

fn number(rate: &Rate, tick: u64) -> u64 {
    tick / micros(rate.interval())
}

/// The same for GCRA: in no time, however long, more than the burst and what drains meanwhile.
pub fn promise_1_never_over_the_bound_of_gcra_across_threads(subject: &Subject) {
    let quota = quota(Algorithm::Gcra, "7/1ms+10, 30/10ms, 81/50ms+50");
    let given = hammer(subject, &quota);
    for rate in quota.rates() {
        let (limit, interval) = (u128::from(rate.limit()), rate.interval().as_micros());
        for (first, (start, _)) in given.iter().enumerate() {
            let mut sum = 0;
            for (tick, weight) in &given[first..] {
                sum += u128::from(*weight) * interval;
                let most = u128::from(rate.burst()) * interval + u128::from(tick - start) * limit;
                assert!(sum <= most, "too much within {rate} from {start} to {tick}");
            }
        }
    }
}

/// Everything that many threads are admitted by operation, limiter and handle, sorted by tick.
fn hammer(subject: &Subject, quota: &Quota) -> Vec<(u64, u64)> {
    let given = Mutex::new(Vec::new());
    let limiter = subject.limiter(quota);
    thread::scope(|scope| {
        for own in 0..THREADS {
            let (given, limiter) = (&given, &limiter);
            scope.spawn(move || {
                let handle = limiter.bucket("hammered").unwrap();
                let mut mine = Vec::new();
                for round in 0..ROUNDS {
                    if own == 0 && subject.is_on_manual_time() {
                        subject.let_pass(Duration::from_micros(round as u64 * 7 % 40));
                    }
                    let weight = 1 + (round % 7 / 5) as u64;
                    if (own + round) % 3 == 0 {
                        if let Verdict::Admitted(admission) =
                            subject.acquire(&Operation::acquire("hammered", quota, weight))
                        {
                            mine.push((admission.tick.as_micros(), admission.weight));
                        }
                        continue;
                    }
                    let decision = match (own + round) % 3 {
                        1 => subject.try_now(limiter.request("hammered").weight(weight)),
                        _ => handle.try_acquire(),
                    };
                    if let Decision::Admitted(permit) = decision.unwrap() {
                        mine.push((permit.tick().as_micros(), permit.weight()));
                    }
                }
                given.lock().unwrap().append(&mut mine);
            });
        }
    });
    let mut given = given.into_inner().unwrap();
    given.sort_unstable();
    assert!(!given.is_empty());
    given
}

/// A hundred at once, for whom there is room: all are admitted, each in a place of its own.
pub fn promise_2_never_under_a_hundred_at_once_that_fit_are_all_admitted(subject: &Subject) {
    const CALLERS: usize = 100;
    for quota in under_each("100/h, 1000/d") {
        let key = subject.fresh_key();
        let limiter = subject.limiter(&quota);
        // A window of the clock's calendar may end in the middle, which makes room and takes none.
        let (barrier, sequences) = (Barrier::new(CALLERS), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for own in 0..CALLERS {
                let (limiter, key, quota, barrier, sequences) = (&limiter, &key, &quota, &barrier, &sequences);
                scope.spawn(move || {
                    barrier.wait();
                    // Of a limiter's requests on one key, the store sees one call at a time.
                    let sequence = if own % 2 == 0 {
                        admitted(subject.acquire(&Operation::acquire(key, quota, 1))).sequence
                    } else {
                        match subject.try_now(limiter.request(key)).unwrap() {
                            Decision::Admitted(permit) => permit.sequence(),
                            other => panic!("denied under {quota}: {other:?}"),
                        }
                    };
                    sequences.lock().unwrap().push(sequence);
                });
            }
        });
        let mut sequences = sequences.into_inner().unwrap();
        sequences.sort_unstable();
        assert_eq!(sequences, (1..=CALLERS as u64).collect::<Vec<_>>(), "under {quota}");
    }
}

/// Where more come than there is room for, exactly the room is given, and every rate counts exactly what was given.
pub fn promises_2_and_3_exactly_the_room_is_given_in_every_rate(subject: &Subject) {
    const ROOM: u64 = 50;
    let quota = log("50/12h, 80/7d, 100/4w");
    let given = Mutex::new(0);
    let barrier = Barrier::new(THREADS * 4);
    thread::scope(|scope| {
        for _ in 0..THREADS * 4 {
            scope.spawn(|| {
                barrier.wait();
                for round in 0..10 {
                    match subject.acquire(&Operation::acquire("scarce", &quota, 1 + round % 3)) {
                        Verdict::Admitted(admission) => *given.lock().unwrap() += admission.weight,
                        Verdict::Denied(denial) => assert_eq!(denial.rate, Some(0)),
                        other @ Verdict::NeverFits { .. } => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    let given = given.into_inner().unwrap();
    assert!(given <= ROOM, "{given} of {ROOM}");
    let used: Vec<_> = subject.look("scarce", &quota, None).usage.iter().map(|usage| usage.used).collect();
    assert_eq!(used, [given; 3], "what was denied left traces");
    for _ in given..ROOM {
        admitted(subject.acquire(&Operation::acquire("scarce", &quota, 1)));
    }
    denied(subject.acquire(&Operation::acquire("scarce", &quota, 1)));
}
