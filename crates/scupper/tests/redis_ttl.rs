//! Every key that the store writes has a time to live: as long as it owes something, and a second or two longer.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_oneof};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use scupper::store::{
    Action, Admission, Batch, BucketState, Line, Operation, Outcome, Reply, Standing, Store, Verdict,
};
use scupper::{Algorithm, Quota, RedisStore, Timestamp};
use scupper_testbed::{RedisServer, SharedRedis, await_that};
use support::redis::{PREFIX, open, submit, without_hurry};
use support::{HOUR, SECOND};

/// A key is there for so long after it owes anything.
const AFTERWARDS: std::ops::RangeInclusive<u64> = 0..=2_001_000;

/// When the key is gone, in microseconds; nothing if there is none.
fn expires(server: &RedisServer, key: &str) -> Option<u64> {
    match server.command(&["PEXPIRETIME", &[PREFIX, key].concat()]).integer() {
        -2 => None,
        -1 => panic!("{key} is there for ever"),
        millis => Some(u64::try_from(millis).unwrap() * 1_000),
    }
}

#[test]
fn promise_7_every_operation_leaves_a_key_that_goes_by_itself_in_time() {
    let server = RedisServer::start();
    let store = open(&server.url());
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "50/s, 100/min").unwrap();
        let longer = Quota::new(algorithm, "50/s, 100/h").unwrap();
        let acquire = |quota, weight| Action::Acquire { quota, weight, standing: Standing::Alone };
        let (take, hold) = (acquire(&quota, 50), |duration| Action::Hold { quota: &quota, duration });
        let penalize = Action::Penalize { quota: &quota, units: 100_000 };
        // What is done, and for how many seconds the bucket is there at the most.
        let minute = 60;
        for (number, (actions, seconds)) in [
            (vec![take], minute),
            (vec![take, take], minute),
            (vec![take, Action::Reset], minute),
            (vec![hold(HOUR)], 60 * minute),
            (vec![hold(HOUR), Action::Reset], 0),
            (vec![take, hold(HOUR), Action::Reset], minute),
            (vec![take, hold(HOUR), Action::Reset, take], minute),
            (vec![hold(HOUR), Action::Reset, hold(SECOND)], 1),
            (vec![hold(SECOND), hold(HOUR), hold(SECOND)], 60 * minute),
            (vec![penalize, Action::Reset], minute),
            (vec![penalize, Action::Reset, take], minute),
            (vec![acquire(&longer, 1), take], 60 * minute),
            (vec![acquire(&longer, 1), take, Action::Reset], 60 * minute),
        ]
        .into_iter()
        .enumerate()
        {
            let (key, start) = (format!("{algorithm}-{number}"), Instant::now());
            for action in &actions {
                submit(&store, &Operation::new(&key, *action)).unwrap();
            }
            let time_to_live = server.command(&["PTTL", &[PREFIX, &key].concat()]).integer();
            // On a machine that stands still, it may be gone by now.
            let is_over = time_to_live == -2 && start.elapsed() > Duration::from_secs(seconds + 1);
            let longest = (i64::try_from(seconds).unwrap() + 2) * 1_000 + 1;
            assert!(is_over || (1..=longest).contains(&time_to_live), "{actions:?} {time_to_live}");
        }
    }
}

#[test]
fn promise_7_what_changes_nothing_leaves_no_key() {
    let server = RedisServer::start();
    let store = open(&server.url());
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "5/min").unwrap();
        let admission = Admission { tick: Timestamp::from_micros(1), weight: 1, sequence: 1 };
        for action in [
            Action::Peek { quota: &quota },
            Action::Reset,
            Action::Refund(admission),
            Action::Hold { quota: &quota, duration: Duration::ZERO },
            Action::Acquire { quota: &quota, weight: 6, standing: Standing::Alone },
            Action::Acquire { quota: &quota, weight: 6, standing: Standing::Waiting },
        ] {
            for at in [None, Some(Timestamp::from_micros(7))] {
                submit(&store, &Operation { at, ..Operation::new("key", action) }).unwrap();
                assert_eq!(expires(&server, "key"), None, "{action:?}");
            }
        }
    }
}

#[test]
fn promise_7_idle_buckets_leave_by_themselves() {
    let redis = SharedRedis::get();
    let prefix = redis.prefix();
    let store = without_hurry(RedisStore::builder(redis.url())).prefix(&prefix).open().unwrap();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1000/100ms").unwrap();
    let keys: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    let operations: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 1)).collect();
    assert!(store.submit(Batch::new(&operations)).wait().iter().all(Result::is_ok));
    let list = || match submit(&store, &Operation::new("", Action::List { after: None, most: 1 })).unwrap() {
        Reply::Listed(page) => page,
        other => panic!("{other:?}"),
    };
    // Nobody asks for them, and nothing here removes them.
    await_that("no bucket owes anything", || list() == scupper::Page::default());
}

/// One operation, before its numbers are put to the bucket.
#[derive(Clone, Debug)]
struct Step {
    quota: usize,
    what: What,
    back: u64,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Acquire(u64, Standing),
    Refund(usize, u64),
    Penalize(u64),
    Reset,
    Hold(u64),
}

fn quotas() -> impl Strategy<Value = Vec<Quota>> {
    let algorithm = prop_oneof![Just(0_usize), Just(1), Just(2)];
    let rates = vec((1_u64..100, 1_u64..100_000_000), 1..4).prop_map(|mut rates| {
        rates.sort_by_key(|rate| std::cmp::Reverse(rate.1));
        rates
    });
    (algorithm, rates).prop_map(|(algorithm, rates)| {
        let rate = |(limit, micros)| scupper::Rate::new(limit, Duration::from_micros(micros)).unwrap();
        rates.into_iter().map(|of| Quota::new(Algorithm::ALL[algorithm], rate(of)).unwrap()).collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let standing = prop_oneof![Just(Standing::Alone), Just(Standing::Waiting)];
    let what = prop_oneof![
        6 => (1_u64..30, standing).prop_map(|(weight, standing)| What::Acquire(weight, standing)),
        4 => (0_usize..6, 1_u64..30).prop_map(|(which, weight)| What::Refund(which, weight)),
        1 => (1_u64..200).prop_map(What::Penalize),
        1 => Just(What::Reset),
        1 => prop_oneof![Just(0), Just(1), 0_u64..100_000_000_000].prop_map(What::Hold),
    ];
    let back = prop_oneof![3 => Just(0_u64), 1 => 0_u64..200_000_000];
    vec((any::<u8>(), what, back).prop_map(|(quota, what, back)| Step { quota: quota.into(), what, back }), 1..25)
}

/// The library's own decisions on one bucket at the server's time, which the last reply tells.
fn carry_out(model: &mut Option<BucketState>, operations: &[Operation<'_>], now: Timestamp) -> Vec<Outcome> {
    let (mut line, is_new) = (Line::default(), model.is_none());
    let outcomes = operations.iter().map(|operation| {
        if model.is_none() {
            *model = operation.quota().map(|quota| BucketState::new(quota, now));
        }
        match model {
            Some(bucket) => line.pass(operation, || bucket.apply(operation, now)),
            None => Ok(Reply::Reset(false)),
        }
    });
    let outcomes = outcomes.collect();
    if is_new {
        *model = model.take().filter(|bucket| bucket.idle_from() > now);
    }
    outcomes
}

fn play(
    (server, store): (&RedisServer, &RedisStore),
    key: &str,
    quotas: &[Quota],
    (own_time, together): (bool, usize),
    steps: &[Step],
) -> Result<(), String> {
    let (mut model, mut given, start) = (None, Vec::<Admission>::new(), Instant::now());
    for steps in steps.chunks(together) {
        let mut operations: Vec<Operation<'_>> = Vec::new();
        for Step { quota, what, back } in steps {
            let quota = &quotas[quota % quotas.len()];
            let action = match *what {
                What::Acquire(weight, standing) => Action::Acquire { quota, weight, standing },
                What::Refund(which, weight) => match given.iter().rev().nth(which) {
                    Some(admission) => Action::Refund(Admission { weight: weight.min(admission.weight), ..*admission }),
                    None => continue,
                },
                What::Penalize(units) => Action::Penalize { quota, units },
                What::Reset => Action::Reset,
                // One that has passed already is kept by the library until the caller's time is there again, which it need not be.
                What::Hold(micros) => {
                    Action::Hold { quota, duration: Duration::from_micros(micros.max(u64::from(own_time))) }
                }
            };
            let at = own_time.then(|| Timestamp::from_micros(1_000_000_000 - back));
            operations.push(Operation { at, ..Operation::new(key, action) });
        }
        // Of the same call, and so of the same time.
        operations.push(Operation::new(key, Action::Peek { quota: &quotas[0] }));
        let outcomes = store.submit(Batch::new(&operations)).wait();
        if start.elapsed() > SECOND / 2 {
            // Too slow to be sure of the key: it may have been gone by then.
            return Ok(());
        }
        let Some(Ok(Reply::Peeked(seen))) = outcomes.last() else { return Err(format!("{outcomes:?}")) };
        operations.pop();
        let expected = carry_out(&mut model, &operations, seen.now);
        for (outcome, expected) in outcomes.iter().zip(&expected) {
            if let Ok(Reply::Acquired(Verdict::Admitted(admission))) = outcome {
                given.push(*admission);
                if !expected.as_ref().is_ok_and(|expected| outcome.as_ref().unwrap() == expected) {
                    return Err(format!("{operations:?}: {outcome:?} in place of {expected:?}"));
                }
            }
        }
        let owes_until = model.as_ref().map(|bucket| bucket.idle_from().max(seen.now).as_micros());
        let gone_at = expires(server, key);
        if start.elapsed() > SECOND / 2 {
            // Or it may be gone by now.
            return Ok(());
        }
        let is_right = match (owes_until, gone_at) {
            (None, None) => true,
            (Some(owes_until), Some(gone_at)) => {
                gone_at.checked_sub(owes_until).is_some_and(|after| AFTERWARDS.contains(&after))
            }
            _ => false,
        };
        if !is_right {
            return Err(format!("{operations:?} at {}: owes until {owes_until:?}, gone at {gone_at:?}", seen.now));
        }
    }
    Ok(())
}

#[test]
fn promise_7_after_any_operations_a_key_lives_as_long_as_it_owes_and_hardly_longer() {
    let server = RedisServer::start();
    let store = open(&server.url());
    let config = Config { cases: 400, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let number = std::cell::Cell::new(0);
    TestRunner::new(config)
        .run(&(quotas(), any::<bool>(), 1_usize..5, steps()), |(quotas, own_time, together, steps)| {
            number.set(number.get() + 1);
            let key = number.get().to_string();
            // What has left every window may be remembered for a longer list that comes later, or not: here, the longest is there
            // from the beginning.
            let first = Step { quota: 0, what: What::Acquire(1, Standing::Alone), back: 0 };
            let steps: Vec<Step> = std::iter::once(first).chain(steps).collect();
            let played = play((&server, &store), &key, &quotas, (own_time, together), &steps);
            played.map_err(|wrong| TestCaseError::fail(format!("{wrong}\nunder {quotas:?}")))
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
