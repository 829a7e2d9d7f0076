//! Logs that are out of the ordinary.

use std::time::Duration;

use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::batch::{Action, Operation, Standing};
use crate::store::outcome::{Admission, Reply, Verdict};
use crate::store::redis::differential::comparison::{Comparison, KEY, Way};
use crate::store::redis::differential::server::bytes;
use crate::time::Timestamp;

fn log(rates: &str) -> Quota {
    Quota::new(Algorithm::SlidingWindowLog, rates).unwrap()
}

/// Tens of thousands of penalties: nobody looks further back than the largest limit, and what lies beyond is dropped.
#[test]
fn promise_7_old_debt_is_dropped_and_not_missed() {
    let mut comparison = Comparison::new();
    let (quota, smaller) = (log("70000/w"), log("10/w"));
    // In the second case, what the limit reaches back to is the first of all; and others with a smaller limit do not change it.
    for (first, every, least, most) in [(1, 3, 1_000_000, 1_100_000), (20_000, 100_000, 1_100_000, 1_200_000)] {
        comparison.begin();
        let ticks: Vec<u64> = (1..=70_200).collect();
        for ticks in ticks.chunks(120) {
            let penalize = |tick: &u64| {
                let units = if *tick == 1 { first } else { 1 + u64::from(tick.is_multiple_of(every)) };
                let quota = if *tick < 69_900 { &quota } else { &smaller };
                Operation::new(KEY, Action::Penalize { quota, units }).at(Timestamp::from_micros(*tick))
            };
            let operations: Vec<_> = ticks.iter().map(penalize).collect();
            comparison.submit(1_000, &operations).unwrap();
        }
        let bytes = bytes(comparison.server.command("GET", KEY, &[])).len();
        assert!((least..most).contains(&bytes), "{bytes} bytes");
        let week = 604_800_000_000;
        for tick in [70_300, week + 1, week + 2, week + 2_000, week + 50_000, week + 70_200, week + 70_201] {
            let weights = [70_000, 69_999, 69_001, 69_000, 50_001, 50_000, 3, 2, 1];
            let acquires =
                weights.map(|weight| Operation::acquire(KEY, &quota, weight).at(Timestamp::from_micros(tick)));
            comparison.submit(1_000, &acquires).unwrap();
        }
    }
}

/// Some hundreds of penalties are not too many to remember.
#[test]
fn what_is_in_debt_is_said_to_be_in_use() {
    let mut comparison = Comparison::new();
    let quota = log("10/ms");
    for tick in 0..400 {
        comparison.penalize(1_000 + tick, &quota, 1);
        comparison.ask(1_000 + tick, Action::Peek { quota: &quota });
    }
    for tick in (0..1_500).step_by(7) {
        comparison.acquire(1_500 + tick, &quota, 3, Way::Looking);
    }
}

/// A list of 32 rates is longer than what is read at once.
#[test]
fn a_list_of_many_rates_is_read_whole() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        for rates in [9, 16, 17, 18, 20, 32_u64] {
            let rate = |place: u64| {
                let interval = Duration::from_micros(9_000_000_000_001 * (place + 1));
                Rate::new(100_000_000_000 + place, interval).unwrap()
            };
            let long = Quota::new(algorithm, (0..rates).map(rate).collect::<Vec<_>>()).unwrap();
            let short = Quota::new(algorithm, rate(32)).unwrap();
            comparison.begin();
            for tick in 0..70 {
                comparison.acquire(9_000_000_000_000 + 5 * tick, &long, 1_400_000_000, Way::Plain);
                comparison.acquire(9_000_000_000_001 + 5 * tick, &long, 1, Way::Plain);
            }
            comparison.ask(9_000_000_000_400, Action::Peek { quota: &long });
            let last = comparison.acquire(27_000_000_000_004, &long, 7, Way::Plain).unwrap();
            comparison.ask(27_000_000_000_004, Action::Refund(last));
            comparison.ask(27_000_000_000_005, Action::Peek { quota: &short });
            // From now on, the rates of the other list are kept beside those in use.
            comparison.acquire(27_000_000_000_006, &short, 5, Way::Plain);
            comparison.acquire(27_000_000_000_007, &short, 5, Way::Plain);
            comparison.acquire(27_000_000_000_008, &long, 5, Way::Plain);
        }
    }
}

/// One event after another, at the pace at which they leave, through rings of every size.
#[test]
fn a_ring_wraps_around() {
    let mut comparison = Comparison::new();
    for limit in [1, 4, 5, 15, 16, 17, 18, 31, 32, 33, 34, 47, 48, 49, 64, 65, 66, 80, 100] {
        let quota = log(&format!("{limit}/{}us", 2 * limit));
        comparison.begin();
        let mut given = Vec::new();
        for step in 0..(6 * limit).max(40) {
            // Every few steps one comes that is too early, and sometimes one is given back.
            given.extend(comparison.acquire(1_000 + 2 * step + step / (2 * limit), &quota, 1, Way::Plain));
            if step % 23 == 7 {
                comparison.acquire(1_000 + 2 * step, &quota, 1, Way::Plain);
            }
            if step % 41 == 40 {
                let old = given[given.len() - usize::try_from(limit.min(30)).unwrap() / 2 - 1];
                comparison.ask(1_001 + 2 * step, Action::Refund(old));
            }
        }
        // What has left does not stay for ever.
        let events = bytes(comparison.server.command("GET", KEY, &[])).len() as u64 / 16;
        assert!(events <= 2 * limit + 80, "room for {events} events under {limit}");
    }
}

/// What is given back is the newest of all, one after the other, down to the oldest.
#[test]
fn a_log_is_given_back_from_the_newest_to_the_oldest() {
    let mut comparison = Comparison::new();
    for units in [1, 4, 5, 16, 17, 18, 33, 34, 35, 60] {
        let quota = log("60/s");
        comparison.begin();
        let mut given: Vec<_> =
            (0..units).filter_map(|step| comparison.acquire(1_000 + step, &quota, 1, Way::Plain)).collect();
        while let Some(admission) = given.pop() {
            comparison.ask(2_000, Action::Refund(admission));
            comparison.ask(2_000, Action::Peek { quota: &quota });
            if given.len() == 20 {
                comparison.acquire(2_000, &quota, 1, Way::Plain);
            }
        }
        comparison.acquire(2_001, &quota, 1, Way::Plain);
        comparison.ask(2_001, Action::Peek { quota: &quota });
    }
}

/// Whether there is room or not; the long way is for a log whose small area is full, once in a few events.
#[test]
fn plain_acquires_take_the_short_way() {
    let mut comparison = Comparison::new();
    for (rates, least) in [("100/ms", 640), ("40/390us, 100/ms", 640), ("16/160us", 640), ("5/50us", 570)] {
        let quota = log(rates);
        comparison.begin();
        for step in 0..200 {
            comparison.acquire(1_000 + 10 * step, &quota, 1, Way::Plain);
        }
        let before = comparison.server.short;
        for step in 200..520 {
            comparison.acquire(1_000 + 10 * step, &quota, 1, Way::Plain);
            comparison.acquire(1_000 + 10 * step, &quota, 1, Way::Plain);
        }
        let short = comparison.server.short - before;
        assert!(short >= least, "{short} of 640 under {rates}");
    }
}

/// A batch that is long by itself: rings are laid, filled and emptied before anything is written.
#[test]
fn a_log_goes_on_within_a_batch() {
    let mut comparison = Comparison::new();
    for limit in [17, 20, 40, 90] {
        for together in [25, 60, 200] {
            let quota = log(&format!("{limit}/{}us", 3 * limit));
            comparison.begin();
            let mut given: Vec<Admission> = Vec::new();
            for batch in 0..400 / together {
                let mut operations = Vec::new();
                for step in 0..together {
                    let clock = 1_000 + 3 * (batch * together + step);
                    let mut ask =
                        |action| operations.push(Operation::new(KEY, action).at(Timestamp::from_micros(clock)));
                    ask(Action::Acquire { quota: &quota, weight: 1, standing: Standing::Alone });
                    if step % 9 == 8 {
                        ask(Action::Peek { quota: &quota });
                        if let Some(old) = given.iter().nth_back(usize::try_from(step).unwrap()) {
                            ask(Action::Refund(*old));
                        }
                    }
                }
                let outcomes = comparison.submit(1_000, &operations).unwrap();
                given.extend(outcomes.iter().filter_map(|outcome| match outcome {
                    Ok(Reply::Acquired(Verdict::Admitted(admission))) => Some(*admission),
                    _ => None,
                }));
            }
        }
    }
}

/// What was given back in part, or at a tick of several permits, is not given back again.
#[test]
fn nothing_is_given_back_beyond_what_is_there() {
    let mut comparison = Comparison::new();
    let quota = log("60/ms");
    for weights in [[2, 3, 4], [4, 3, 2], [1, 5, 1]] {
        for before in [0, 2, 20] {
            comparison.begin();
            let mut acquire = |tick, weight| comparison.acquire(tick, &quota, weight, Way::Plain).unwrap();
            for tick in 0..before {
                acquire(1_000 + tick, 1);
            }
            let same = weights.map(|weight| acquire(1_100, weight));
            for tick in 0..3 {
                acquire(1_200 + tick, 1);
            }
            for permit in [same[1], same[1], same[0], same[2], same[0], same[2]] {
                let part = Admission { weight: permit.weight.div_ceil(2), ..permit };
                for permit in [part, permit, permit] {
                    comparison.ask(1_300, Action::Refund(permit));
                    comparison.ask(1_300, Action::Peek { quota: &quota });
                }
            }
        }
    }
}
