//! The server's clock decides, whatever clients' clocks say; and when it steps, nothing is freed by a step back.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::cell::Cell;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use scupper::store::{Action, Admission, Operation, Reply, Verdict};
use scupper::{Alarm, Algorithm, Cause, Limiter, PostgresStore, Quota, Result, SystemTimer, Timer, Timestamp};
use scupper_testbed::{Session, SharedPostgres};
use support::postgres::{PATIENCE, admits, builder, limiting, submit, without_hurry};
use support::{HOUR, MILLISECOND, SECOND, denied};

const MINUTE: Duration = Duration::from_mins(1);
const KEY: &str = "user:42";
/// Of calls, and of the clocks that are read around them.
const SLACK: Duration = Duration::from_secs(20);

/// A schema whose clock can be turned.
struct Clock {
    schema: String,
    session: Session,
    store: PostgresStore,
    /// Of the real one, in microseconds.
    ahead: Cell<i64>,
}

impl Clock {
    fn new() -> Self {
        let shared = SharedPostgres::get();
        let (schema, session) = (shared.schema(), shared.session());
        let store =
            without_hurry(PostgresStore::builder(shared.url())).schema(&schema).pool(1).connect_blocking().unwrap();
        Self { schema, session, store, ahead: Cell::new(0) }
    }

    fn turn(&self, micros: i64) {
        self.ahead.set(self.ahead.get() + micros);
        self.session.ask(&format!(
            "CREATE OR REPLACE FUNCTION {}.clock() RETURNS bigint LANGUAGE sql VOLATILE RETURN \
             (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + ({})",
            self.schema,
            self.ahead.get()
        ));
    }

    fn back(&self, by: Duration) {
        self.turn(-i64::try_from(by.as_micros()).unwrap());
    }

    fn forward(&self, by: Duration) {
        self.turn(by.as_micros().try_into().unwrap());
    }

    fn limiter(&self, algorithm: Algorithm, rates: &str) -> Limiter {
        limiting(rates, &self.store)
            .algorithm(algorithm)
            .denial_cache(Duration::ZERO)
            .call_timeout(PATIENCE)
            .build()
            .unwrap()
    }

    /// How long from now on the row is to stay.
    fn time_to_live(&self) -> Duration {
        let sql = "SELECT greatest(0, idle_from - {s}.clock()) FROM {s}.bucket".replace("{s}", &self.schema);
        Duration::from_micros(self.session.ask(&sql).number().try_into().unwrap())
    }
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
                let clock = Clock::new();
                let limiter = clock.limiter(algorithm, "5/h");
                for _ in 0..taken {
                    admits(&limiter, KEY);
                }
                clock.back(step);
                assert_eq!(limiter.peek(KEY).unwrap().usage[0].used, taken, "{algorithm} {step:?}");
                for _ in taken..5 {
                    admits(&limiter, KEY);
                }
                // The bucket's time stands still until the clock has caught up; after more than that it goes on from now.
                let longest = if step <= HOUR { HOUR + step } else { HOUR };
                for _ in 0..3 {
                    let denied = denied(&limiter.try_acquire(KEY).unwrap());
                    assert_eq!(denied.cause(), Cause::Full);
                    assert!(denied.retry_after() <= longest + SLACK, "{algorithm} {step:?}: {denied:?}");
                }
            }
        }
    }
}

#[test]
fn promise_6_a_log_keeps_all_ages_in_a_step_back_be_it_short_or_long() {
    for events in [5, 100] {
        let clock = Clock::new();
        let limiter = clock.limiter(Algorithm::SlidingWindowLog, &format!("{events}/h"));
        for _ in 0..events {
            admits(&limiter, KEY);
        }
        clock.back(10 * MINUTE);
        about(denied(&limiter.try_acquire(KEY).unwrap()).retry_after(), HOUR + 10 * MINUTE);
        clock.forward(40 * MINUTE);
        about(denied(&limiter.try_acquire(KEY).unwrap()).retry_after(), 30 * MINUTE);
        // Back by more than the longest interval: what was half an hour old still is, or counts from now.
        clock.back(24 * HOUR);
        about(denied(&limiter.try_acquire(KEY).unwrap()).retry_after(), HOUR);
        clock.forward(59 * MINUTE);
        about(denied(&limiter.try_acquire(KEY).unwrap()).retry_after(), MINUTE);
        assert_eq!(limiter.peek(KEY).unwrap().usage[0].used, events);
        assert!(clock.time_to_live() <= HOUR + SLACK);
    }
}

#[test]
fn promise_6_a_step_forward_ages_what_was_admitted_by_its_size() {
    for algorithm in [Algorithm::SlidingWindowLog, Algorithm::Gcra] {
        let clock = Clock::new();
        let limiter = clock.limiter(algorithm, "6/h");
        for _ in 0..6 {
            admits(&limiter, KEY);
        }
        clock.forward(30 * MINUTE);
        if algorithm == Algorithm::Gcra {
            for _ in 0..3 {
                admits(&limiter, KEY);
            }
            about(denied(&limiter.try_acquire(KEY).unwrap()).retry_after(), 10 * MINUTE);
        } else {
            about(denied(&limiter.try_acquire(KEY).unwrap()).retry_after(), 30 * MINUTE);
            clock.forward(30 * MINUTE);
            for _ in 0..6 {
                admits(&limiter, KEY);
            }
        }
        assert!(!limiter.try_acquire(KEY).unwrap().is_admitted());
    }
}

#[test]
fn promise_6_a_hold_is_no_shorter_for_a_step_back_and_ends_all_the_same() {
    for algorithm in Algorithm::ALL {
        for (step, longest) in [(5 * MINUTE, 15 * MINUTE), (24 * HOUR, 10 * MINUTE)] {
            let clock = Clock::new();
            let limiter = clock.limiter(algorithm, "5/h");
            admits(&limiter, KEY);
            limiter.hold(KEY, 10 * MINUTE).unwrap();
            clock.back(step);
            let denied = denied(&limiter.try_acquire(KEY).unwrap());
            assert_eq!(denied.cause(), Cause::Held, "{algorithm} {step:?}");
            about(denied.retry_after(), longest);
            clock.forward(longest + MINUTE);
            admits(&limiter, KEY);
        }
    }
}

#[test]
fn promise_6_a_permit_from_before_a_step_is_given_back_once_if_at_all() {
    for algorithm in Algorithm::ALL {
        for (step, back) in [(MINUTE, 1), (24 * HOUR, 0)] {
            let clock = Clock::new();
            let quota = Quota::new(algorithm, "5/h").unwrap();
            let acquire = || match submit(&clock.store, &Operation::acquire(KEY, &quota, 1)).unwrap() {
                Reply::Acquired(Verdict::Admitted(admission)) => admission,
                other => panic!("{other:?}"),
            };
            let refund =
                |admission: Admission| submit(&clock.store, &Operation::new(KEY, Action::Refund(admission))).unwrap();
            let earlier = acquire();
            clock.back(step);
            let later = acquire();
            for (admission, back) in [(earlier, back), (later, 1), (earlier, 0)] {
                assert_eq!(refund(admission), Reply::Refunded(back), "{algorithm} {step:?}");
            }
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
        let by = u64::try_from(self.1.as_micros()).unwrap();
        self.0.wake_at(Timestamp::from_micros(at.as_micros().saturating_sub(by)), waker)
    }
}

#[test]
fn promise_6_clients_whose_clocks_are_hours_apart_share_a_bucket_exactly() {
    let builder = builder();
    let limiters = [Duration::ZERO, 3 * HOUR, 1_000 * HOUR].map(|wrong| {
        let timer = Wrong(SystemTimer::new(), wrong);
        let store = builder.clone().connect_blocking().unwrap();
        limiting("6/300ms", &store).timer(timer).denial_cache(10 * MILLISECOND).build().unwrap()
    });
    let start = Instant::now();
    let mut ticks: Vec<u64> = thread::scope(|threads| {
        let ask = |limiter: &Limiter| -> Vec<u64> {
            (0..8).map(|_| limiter.acquire(KEY).unwrap().tick().as_micros()).collect()
        };
        let asking: Vec<_> = limiters.iter().map(|limiter| threads.spawn(move || ask(limiter))).collect();
        asking.into_iter().flat_map(|asked| asked.join().unwrap()).collect()
    });
    // 24 units, six at once and then six each 300 ms.
    assert!(start.elapsed() >= 900 * MILLISECOND, "{:?}", start.elapsed());
    // By the clocks of the others it would take hours.
    assert!(start.elapsed() < 10 * SECOND, "{:?}", start.elapsed());
    ticks.sort_unstable();
    assert!(ticks.windows(7).all(|ticks| ticks[6] - ticks[0] > 300_000), "{ticks:?}");
}
