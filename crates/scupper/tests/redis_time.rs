//! The server's clock decides, whatever clients' clocks say; and when it steps, nothing is freed by a step back.
//!
//! A server whose clock has stepped back is one whose buckets lie ahead, and that is how it is brought about here.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use scupper::store::{Action, Admission, Operation, Reply as Answer, Verdict};
use scupper::{Alarm, Algorithm, Cause, Decision, Limiter, Quota, Result, SystemTimer, Timer, Timestamp};
use scupper_testbed::{RedisServer, Reply, SharedRedis};
use support::redis::{admits, limiting, open, submit, without_hurry};
use support::{HOUR, MILLISECOND, SECOND, denied};

const MINUTE: Duration = Duration::from_mins(1);
const KEY: &str = "scupper:key";
/// Of calls, and of the clocks that are read around them.
const SLACK: Duration = Duration::from_secs(20);

/// Which way the server's clock steps.
#[derive(Clone, Copy, Debug)]
enum Step {
    Back(Duration),
    Forward(Duration),
}

impl Step {
    /// Where a time of the bucket is then, as the server's clock stays where it is.
    fn moved(self, micros: u64) -> u64 {
        let by = |duration: Duration| u64::try_from(duration.as_micros()).unwrap();
        match (micros, self) {
            (0, _) => 0,
            (_, Self::Back(duration)) => micros + by(duration),
            (_, Self::Forward(duration)) => micros - by(duration),
        }
    }
}

/// Moves all times of a bucket, by its form in docs/redis.md.
fn take(server: &RedisServer, step: Step) {
    let Reply::Bulk(mut value) = server.command(&["GET", KEY]) else { panic!("there is a bucket") };
    let number = |value: &[u8], at: usize, bytes: usize| {
        usize::try_from(value[at..at + bytes].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
            .unwrap()
    };
    let shift = |value: &mut Vec<u8>, at: usize| {
        let moved = step.moved(u64::from_be_bytes(value[at..at + 8].try_into().unwrap()));
        value[at..at + 8].copy_from_slice(&moved.to_be_bytes());
    };
    let (cap, room, used, length) =
        (number(&value, 66, 4), number(&value, 78, 2), number(&value, 80, 2), number(&value, 85, 4));
    let (area, cold) = (89, 89 + room * 16);
    let ring = cold + 58 + length;
    assert!(value[cold + 58..].starts_with(b"sliding") || used == room, "a form that this knows");
    let is_log = value[cold + 58] == b's';
    for at in [8, 26, cold, cold + 8] {
        shift(&mut value, at);
    }
    let ring_events = if is_log { cap } else { 0 };
    let events = (0..used).map(|place| area + place * 16).chain((0..ring_events).map(|place| ring + place * 16));
    events.for_each(|at| shift(&mut value, at));
    let expires = step.moved(u64::from_be_bytes(value[70..78].try_into().unwrap()) * 1_000) / 1_000;
    value[70..78].copy_from_slice(&expires.to_be_bytes());
    let expires = expires.to_string();
    let _ = server.command(&[b"SET".as_slice(), KEY.as_bytes(), &value, b"PXAT", expires.as_bytes()]).granted();
}

fn limiter(server: &RedisServer, algorithm: Algorithm, rates: &str) -> Limiter {
    let store = open(&server.url());
    limiting(rates, &store).algorithm(algorithm).denial_cache(Duration::ZERO).build().unwrap()
}

fn time_to_live(server: &RedisServer) -> Duration {
    Duration::from_millis(u64::try_from(server.command(&["PTTL", KEY]).integer()).unwrap())
}

#[track_caller]
fn about(duration: Duration, expected: Duration) {
    assert!(duration <= expected + SLACK && duration + SLACK >= expected, "{duration:?} is not about {expected:?}");
}

#[test]
fn promise_6_a_step_back_frees_nothing() {
    for algorithm in Algorithm::ALL {
        for step in [SECOND, 10 * MINUTE, 59 * MINUTE, 2 * HOUR, 30 * 24 * HOUR] {
            for taken in [5, 3] {
                let server = RedisServer::start();
                let limiter = limiter(&server, algorithm, "5/h");
                for _ in 0..taken {
                    admits(&limiter, "key");
                }
                take(&server, Step::Back(step));
                assert_eq!(limiter.peek("key").unwrap().usage[0].used, taken, "{algorithm} {step:?}");
                for _ in taken..5 {
                    admits(&limiter, "key");
                }
                for _ in 0..3 {
                    let denied = denied(&limiter.try_acquire("key").unwrap());
                    assert_eq!(denied.cause(), Cause::Full);
                    // The bucket's time stands still until the clock has caught up; after more than that it goes on from now.
                    let longest = if step <= HOUR { HOUR + step } else { HOUR };
                    assert!(denied.retry_after() <= longest + SLACK, "{algorithm} {step:?}: {denied:?}");
                }
                assert!(time_to_live(&server) <= if step <= HOUR { HOUR + step } else { HOUR } + SLACK);
            }
        }
    }
}

#[test]
fn promise_6_a_log_keeps_all_ages_in_a_step_back_be_it_short_or_long() {
    for events in [5, 100] {
        let server = RedisServer::start();
        let limiter = limiter(&server, Algorithm::SlidingWindowLog, &format!("{events}/h"));
        for _ in 0..events {
            admits(&limiter, "key");
        }
        take(&server, Step::Back(10 * MINUTE));
        about(denied(&limiter.try_acquire("key").unwrap()).retry_after(), HOUR + 10 * MINUTE);
        take(&server, Step::Forward(40 * MINUTE));
        about(denied(&limiter.try_acquire("key").unwrap()).retry_after(), 30 * MINUTE);
        // Back by more than the longest interval: what was half an hour old still is.
        take(&server, Step::Back(24 * HOUR));
        about(denied(&limiter.try_acquire("key").unwrap()).retry_after(), HOUR);
        about(time_to_live(&server), HOUR);
        take(&server, Step::Forward(59 * MINUTE));
        about(denied(&limiter.try_acquire("key").unwrap()).retry_after(), MINUTE);
        assert_eq!(limiter.peek("key").unwrap().usage[0].used, events);
    }
}

#[test]
fn promise_6_a_step_forward_ages_what_was_admitted_by_its_size() {
    for algorithm in [Algorithm::SlidingWindowLog, Algorithm::Gcra] {
        let server = RedisServer::start();
        let limiter = limiter(&server, algorithm, "6/h");
        for _ in 0..6 {
            admits(&limiter, "key");
        }
        take(&server, Step::Forward(30 * MINUTE));
        if algorithm == Algorithm::Gcra {
            for _ in 0..3 {
                admits(&limiter, "key");
            }
            about(denied(&limiter.try_acquire("key").unwrap()).retry_after(), 10 * MINUTE);
        } else {
            about(denied(&limiter.try_acquire("key").unwrap()).retry_after(), 30 * MINUTE);
            take(&server, Step::Forward(30 * MINUTE));
            for _ in 0..6 {
                admits(&limiter, "key");
            }
        }
        assert!(!limiter.try_acquire("key").unwrap().is_admitted());
    }
}

#[test]
fn promise_6_a_hold_is_no_shorter_for_a_step_back_and_ends_all_the_same() {
    for algorithm in Algorithm::ALL {
        for (step, longest) in [(5 * MINUTE, 15 * MINUTE), (24 * HOUR, 10 * MINUTE)] {
            let server = RedisServer::start();
            let limiter = limiter(&server, algorithm, "5/h");
            admits(&limiter, "key");
            limiter.hold("key", 10 * MINUTE).unwrap();
            take(&server, Step::Back(step));
            let denied = denied(&limiter.try_acquire("key").unwrap());
            assert_eq!(denied.cause(), Cause::Held, "{algorithm} {step:?}");
            about(denied.retry_after(), longest);
            take(&server, Step::Forward(longest + MINUTE));
            admits(&limiter, "key");
        }
    }
}

#[test]
fn promise_6_a_permit_from_before_a_step_is_given_back_once_if_at_all() {
    for algorithm in Algorithm::ALL {
        for (step, back) in [(Step::Back(MINUTE), 1), (Step::Back(24 * HOUR), 0)] {
            let server = RedisServer::start();
            let store = open(&server.url());
            let quota = Quota::new(algorithm, "5/h").unwrap();
            let acquire = || match submit(&store, &Operation::acquire("key", &quota, 1)).unwrap() {
                Answer::Acquired(Verdict::Admitted(admission)) => admission,
                other => panic!("{other:?}"),
            };
            let refund = |admission| submit(&store, &Operation::new("key", Action::Refund(admission))).unwrap();
            let earlier = acquire();
            take(&server, step);
            let later = acquire();
            // Its time moves with that of the bucket.
            let earlier = Admission { tick: Timestamp::from_micros(step.moved(earlier.tick.as_micros())), ..earlier };
            for (admission, back) in [(earlier, back), (later, 1)] {
                assert_eq!(refund(admission), Answer::Refunded(back), "{algorithm} {step:?}");
            }
            let Answer::Peeked(seen) = submit(&store, &Operation::new("key", Action::Peek { quota: &quota })).unwrap()
            else {
                panic!("a look")
            };
            assert_eq!(seen.usage[0].used, 1 - back, "{algorithm} {step:?}");
        }
    }
}

/// A clock that is wrong by so much.
#[derive(Debug)]
struct Wrong(SystemTimer, Duration);

impl Timer for Wrong {
    fn now(&self) -> Timestamp {
        self.0.now() + self.1
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> Result<Alarm> {
        self.0.wake_at(
            Timestamp::from_micros(at.as_micros().saturating_sub(self.1.as_micros().try_into().unwrap())),
            waker,
        )
    }
}

#[test]
fn promise_6_clients_whose_clocks_are_hours_apart_share_a_bucket_exactly() {
    let redis = SharedRedis::get();
    let prefix = redis.prefix();
    let limiters = [Duration::ZERO, 3 * HOUR, 1_000 * HOUR].map(|wrong| {
        let store = without_hurry(scupper::RedisStore::builder(redis.url())).prefix(&prefix).open().unwrap();
        let timer = Wrong(SystemTimer::new(), wrong);
        limiting("6/300ms", &store).timer(timer).denial_cache(10 * MILLISECOND).build().unwrap()
    });
    let start = Instant::now();
    let ticks: Vec<u64> = thread::scope(|threads| {
        let ask = |limiter: &Limiter| -> Vec<u64> {
            (0..8).map(|_| limiter.acquire("key").unwrap().tick().as_micros()).collect()
        };
        let asking: Vec<_> = limiters.iter().map(|limiter| threads.spawn(move || ask(limiter))).collect();
        asking.into_iter().flat_map(|asked| asked.join().unwrap()).collect()
    });
    // 24 units, six at once and then six each 300 ms.
    assert!(start.elapsed() >= 900 * MILLISECOND, "{:?}", start.elapsed());
    // By the clocks of the others it would take hours.
    assert!(start.elapsed() < 10 * SECOND, "{:?}", start.elapsed());
    let mut ticks = ticks;
    ticks.sort_unstable();
    assert!(ticks.windows(7).all(|ticks| ticks[6] - ticks[0] > 300_000), "{ticks:?}");
    for limiter in &limiters {
        if let Decision::Denied(denied) = limiter.try_acquire("key").unwrap() {
            assert!(denied.retry_after() <= 300 * MILLISECOND + Duration::from_micros(1));
        }
    }
}
