//! The script in Redis decides as the library does, operation by operation.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_oneof};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use scupper::store::{
    Action, Admission, Batch, BucketState, Line, Operation, Outcome, Reply, Standing, Store, Verdict,
};
use scupper::{Algorithm, Quota, Rate, RedisStore, Timestamp};
use scupper_testbed::SharedRedis;

/// One operation, before its numbers are put to the bucket.
#[derive(Clone, Debug)]
struct Step {
    quota: usize,
    clock: Clock,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum Clock {
    Stays,
    Forward(u64),
    Back(u64),
}

#[derive(Clone, Copy, Debug)]
enum What {
    Acquire(u64, Standing),
    Peek,
    Refund(usize, u64),
    Penalize(u64),
    Reset,
    Hold(u64),
}

/// Microseconds and units that all rates of a case are multiples of: a debt of one list is none of centuries under another.
fn scales() -> impl Strategy<Value = (u64, u64)> {
    let micros = prop_oneof![4 => Just(1_u64), 1 => Just(1_000), 1 => Just(1_000_003), 1 => Just(3_600_000_000)];
    let units = prop_oneof![5 => Just(1_u64), 1 => Just(1_000), 1 => Just(999_999_937)];
    (micros, units)
}

fn rates((scale, unit): (u64, u64)) -> impl Strategy<Value = Vec<Rate>> {
    vec((1_u64..25, 1_u64..6), 1..4).prop_map(move |parts| {
        let (mut interval, mut limit) = (0, 0);
        let mut rates: Vec<Rate> = Vec::new();
        for (longer, more) in parts {
            (interval, limit) = (interval + longer, limit + more);
            let rate = Rate::new(limit * unit, Duration::from_micros(interval * scale)).unwrap();
            let list: Vec<Rate> = rates.iter().copied().chain([rate]).collect();
            // A rate that does not go with those before it is left out.
            if scupper::Rates::new(list).is_ok() {
                rates.push(rate);
            }
        }
        rates
    })
}

/// Lists of rates for one bucket, mostly of one algorithm.
fn quotas() -> impl Strategy<Value = Vec<Quota>> {
    let algorithm = prop_oneof![2 => Just(0_usize), 1 => Just(1), 2 => Just(2)];
    let lists = scales().prop_flat_map(|scales| vec((rates(scales), 0_u64..40, any::<u8>()), 1..4));
    (algorithm, lists).prop_map(|(algorithm, lists)| {
        let quota = |(rates, burst, odd): (Vec<Rate>, u64, u8)| {
            let algorithm = Algorithm::ALL[if odd < 16 { usize::from(odd) % 3 } else { algorithm }];
            let with_burst = |rate: &Rate| {
                let burst = if burst % 3 == 0 { rate.limit() } else { 1 + rate.limit() * burst / 20 };
                rate.with_burst(burst).unwrap()
            };
            match algorithm {
                Algorithm::Gcra => Quota::new(algorithm, rates.iter().map(with_burst).collect::<Vec<_>>()).unwrap(),
                _ => Quota::new(algorithm, rates).unwrap(),
            }
        };
        lists.into_iter().map(quota).collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let clock = prop_oneof![
        5 => Just(Clock::Stays),
        6 => (0_u64..60).prop_map(Clock::Forward),
        2 => (60_u64..400).prop_map(Clock::Forward),
        2 => (0_u64..120).prop_map(Clock::Back),
        1 => (120_u64..900).prop_map(Clock::Back),
    ];
    let standing = prop_oneof![Just(Standing::Alone), Just(Standing::Passing), Just(Standing::Waiting)];
    let what = prop_oneof![
        12 => (0_u64..120, standing).prop_map(|(share, standing)| What::Acquire(share, standing)),
        3 => Just(What::Peek),
        4 => (0_usize..9, 0_u64..130).prop_map(|(which, share)| What::Refund(which, share)),
        2 => (0_u64..150).prop_map(What::Penalize),
        1 => Just(What::Reset),
        1 => (0_u64..300).prop_map(What::Hold),
    ];
    let step = (any::<u8>(), clock, what).prop_map(|(quota, clock, what)| Step { quota: quota.into(), clock, what });
    vec(step, 1..60)
}

/// Hundredths of a quota's capacity, at least a unit.
fn units(quota: &Quota, share: u64) -> u64 {
    (quota.capacity() * share / 100).clamp(1, Rate::MAX_LIMIT)
}

/// The library's own decisions on one bucket, kept as the store keeps it.
#[derive(Default)]
struct Model(Option<BucketState>);

impl Model {
    fn carry_out<'a>(&mut self, operations: &'a [Operation<'a>]) -> Vec<Outcome> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let now = Timestamp::from_micros(u64::try_from(now).unwrap());
        let mut line = Line::default();
        let is_new = self.0.is_none();
        let outcomes = operations.iter().map(|operation| {
            if self.0.is_none() {
                let Some(quota) = operation.quota() else { return operation.without_bucket() };
                self.0 = Some(BucketState::new(quota, now));
            }
            line.pass(operation, || self.0.as_mut().unwrap().apply(operation, now))
        });
        let outcomes = outcomes.collect();
        if is_new {
            self.0 = self.0.take().filter(|bucket| bucket.idle_from() > now);
        }
        outcomes
    }
}

/// Whether it names a time, or so many units, that a double cannot tell from the next.
fn is_beyond_doubles(reply: &Reply) -> bool {
    let last = match reply {
        Reply::Acquired(Verdict::Denied(denial)) => denial.retry_at.as_micros(),
        Reply::Peeked(snapshot) => {
            let numbers = |usage: &scupper::Usage| usage.reset_at.as_micros().max(usage.used);
            snapshot.usage.iter().map(numbers).max().unwrap_or_default()
        }
        Reply::Refunded(units) => *units,
        _ => 0,
    };
    last >= 1 << 53
}

struct Case {
    quotas: Vec<Quota>,
    start: u64,
    together: usize,
    steps: Vec<Step>,
}

fn play(store: &RedisStore, key: &str, case: &Case) -> Result<(), String> {
    let (mut clock, mut given, mut model) = (case.start, Vec::<Admission>::new(), Model::default());
    let mut told = String::new();
    for steps in case.steps.chunks(case.together) {
        let operations: Vec<Operation<'_>> = steps
            .iter()
            .filter_map(|step| {
                let quota = &case.quotas[step.quota % case.quotas.len()];
                let interval = u64::try_from(quota.rates()[0].interval().as_micros()).unwrap();
                clock = match step.clock {
                    Clock::Stays => clock,
                    Clock::Forward(hundredths) => clock + (interval * hundredths).div_ceil(100),
                    Clock::Back(hundredths) => clock.saturating_sub(interval * hundredths / 100),
                };
                let action = match step.what {
                    What::Acquire(share, standing) => Action::Acquire { quota, weight: units(quota, share), standing },
                    What::Peek => Action::Peek { quota },
                    What::Refund(which, share) => {
                        let admission = given.get(given.len().checked_sub(1 + which % given.len().max(1))?)?;
                        let weight = (admission.weight * share / 100).clamp(1, admission.weight);
                        Action::Refund(Admission { weight, ..*admission })
                    }
                    What::Penalize(share) => Action::Penalize { quota, units: units(quota, share) },
                    What::Reset => Action::Reset,
                    What::Hold(hundredths) => {
                        Action::Hold { quota, duration: Duration::from_micros(interval * hundredths / 100) }
                    }
                };
                Some(Operation::new(key, action).at(Timestamp::from_micros(clock)))
            })
            .collect();
        let decided = store.submit(Batch::new(&operations)).wait();
        let expected = model.carry_out(&operations);
        for ((operation, decided), expected) in operations.iter().zip(&decided).zip(&expected) {
            let _ = writeln!(told, "{:?} {:?}\n -> {expected:?}", operation.at, operation.action);
            let is_same = match (decided, expected) {
                (Ok(decided), Ok(expected)) => decided == expected,
                (Err(decided), Err(expected)) => decided.to_string() == expected.to_string(),
                _ => false,
            };
            if !is_same && expected.as_ref().is_ok_and(is_beyond_doubles) {
                // Debts of hundreds of years: there, time has ended.
                return Ok(());
            }
            if !is_same {
                return Err(format!("{told}the script: {decided:?}"));
            }
            if let Ok(Reply::Acquired(Verdict::Admitted(admission))) = decided {
                given.push(*admission);
            }
        }
    }
    Ok(())
}

/// All operations, one by one and together, under any lists of rates in any order, with times from the first to the last
/// that a double can tell apart, and clocks that go back: each outcome of the script is the library's, to the last number.
#[test]
fn promises_1_to_4_and_9_the_script_decides_as_the_library_does() {
    let redis = SharedRedis::get();
    let store = RedisStore::builder(redis.url()).prefix(redis.prefix()).open().unwrap();
    let cases = std::env::var("SCUPPER_DIFFERENTIAL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 5_000, ..Config::default() };
    let start = prop_oneof![Just(0), 0_u64..5_000, Just(1_790_000_000_123_457), Just((1 << 53) - 400_000_000_000_000),];
    let key = std::sync::atomic::AtomicU64::new(0);
    let traces = (quotas(), start, 1_usize..7, steps());
    TestRunner::new(config)
        .run(&traces, |(mut quotas, start, together, mut steps)| {
            // What has left every window may be remembered for a longer list that comes later, or not: here, the longest
            // is there from the beginning.
            quotas.sort_by_key(|quota| std::cmp::Reverse(quota.rates().iter().map(Rate::interval).max()));
            let first = What::Acquire(0, Standing::Alone);
            steps.insert(0, Step { quota: 0, clock: Clock::Stays, what: first });
            let key = format!("{}", key.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            let case = Case { quotas, start, together, steps };
            play(&store, &key, &case).map_err(|wrong| TestCaseError::fail(format!("{wrong}\nunder {:?}", case.quotas)))
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// A step at the server's own time: so many acquires that are alike, or something that is not as plain.
#[derive(Clone, Debug)]
enum Plain {
    Acquires(u64, usize, Standing),
    Look,
    Refund(usize),
    Penalize(u64),
    Reset,
    Pause(u64),
}

fn plain_steps() -> impl Strategy<Value = Vec<Plain>> {
    let standing = prop_oneof![3 => Just(Standing::Alone), 1 => Just(Standing::Passing), 1 => Just(Standing::Waiting)];
    let step = prop_oneof![
        12 => (0_u64..110, 1_usize..9, standing).prop_map(|(share, count, standing)| Plain::Acquires(share, count, standing)),
        12 => Just(Plain::Acquires(0, 1, Standing::Alone)),
        2 => Just(Plain::Look),
        2 => (0_usize..9).prop_map(Plain::Refund),
        1 => (0_u64..150).prop_map(Plain::Penalize),
        1 => Just(Plain::Reset),
        3 => (0_u64..3_000).prop_map(Plain::Pause),
    ];
    vec(step, 1..120)
}

/// The clock of a call, by what it says.
fn clock_of(outcomes: &[Outcome]) -> Option<Timestamp> {
    let clock = |outcome: &Outcome| match outcome.as_ref().ok()? {
        Reply::Acquired(Verdict::Admitted(admission)) => Some(admission.tick),
        Reply::Acquired(Verdict::Denied(denial)) => Some(denial.now),
        Reply::Penalized(tick) => Some(*tick),
        Reply::Peeked(snapshot) => Some(snapshot.now),
        _ => None,
    };
    outcomes.iter().find_map(clock)
}

fn play_plainly(store: &RedisStore, key: &str, quota: &Quota, steps: &[Plain]) -> Result<(), String> {
    let (mut model, mut given) = (BucketState::new(quota, Timestamp::ZERO), Vec::<Admission>::new());
    let mut told = String::new();
    for step in steps {
        let action = match *step {
            Plain::Acquires(share, _, standing) => Action::Acquire { quota, weight: units(quota, share), standing },
            Plain::Look => Action::Peek { quota },
            Plain::Refund(which) => match given.get(which) {
                Some(admission) => Action::Refund(*admission),
                None => continue,
            },
            Plain::Penalize(share) => Action::Penalize { quota, units: units(quota, share) },
            Plain::Reset => Action::Reset,
            Plain::Pause(micros) => {
                std::thread::sleep(Duration::from_micros(micros));
                continue;
            }
        };
        let count = if let Plain::Acquires(_, count, _) = step { *count } else { 1 };
        let mut operations = vec![Operation::new(key, action); count];
        if matches!(action, Action::Refund(_) | Action::Reset) {
            // It says no time of its own.
            operations.push(Operation::new(key, Action::Peek { quota }));
        }
        let decided = store.submit(Batch::new(&operations)).wait();
        let Some(now) = clock_of(&decided) else { continue };
        let mut line = Line::default();
        for (operation, decided) in operations.iter().zip(&decided) {
            let expected = line.pass(operation, || model.apply(operation, now)).unwrap();
            let _ = writeln!(told, "{now} {:?}\n -> {expected:?}", operation.action);
            if decided.as_ref().ok() != Some(&expected) {
                return Err(format!("{told}the script: {decided:?}"));
            }
            if let Reply::Acquired(Verdict::Admitted(admission)) = expected {
                given.insert(0, admission);
            }
        }
    }
    Ok(())
}

/// The same on the server's clock, where plain acquires take a shorter way through the script.
#[test]
fn promises_1_to_4_and_6_the_script_decides_as_the_library_does_on_its_own_clock() {
    let redis = SharedRedis::get();
    let store = RedisStore::builder(redis.url()).prefix(redis.prefix()).open().unwrap();
    let cases = std::env::var("SCUPPER_DIFFERENTIAL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let scales = prop_oneof![Just(20_u64), Just(300), Just(5_000), Just(3_600_000_000)];
    let quotas = (scales, prop_oneof![3 => Just(1_u64), 1 => Just(999_999_937)], 0_usize..3, any::<u8>());
    let quotas = quotas.prop_flat_map(|(micros, unit, algorithm, burst)| {
        rates((micros, unit)).prop_map(move |rates| {
            let algorithm = Algorithm::ALL[algorithm];
            let bursty = |rate: &Rate| rate.with_burst(1 + rate.limit() * u64::from(burst) / 100).unwrap();
            match algorithm {
                Algorithm::Gcra => Quota::new(algorithm, rates.iter().map(bursty).collect::<Vec<_>>()).unwrap(),
                _ => Quota::new(algorithm, rates).unwrap(),
            }
        })
    });
    let key = std::sync::atomic::AtomicU64::new(0);
    TestRunner::new(config)
        .run(&(quotas, plain_steps()), |(quota, steps)| {
            let key = format!("plain-{}", key.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            let played = play_plainly(&store, &key, &quota, &steps);
            played.map_err(|wrong| TestCaseError::fail(format!("{wrong}\nunder {quota:?}")))
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
