//! Asking a store that a server is behind, and what may come of it; and the tests that are the same for all such stores.

mod bed;
pub(crate) mod cancel;
pub(crate) mod cut;
pub(crate) mod outage;
pub(crate) mod processes;
pub(crate) mod runtimes;

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use scupper::store::{Action, Batch, Operation, Outcome, Standing, Store, Submission};
use scupper::{Algorithm, Decision, Error, ErrorKind, Limiter, LimiterBuilder, OutagePolicy, Quota, Rates};
use scupper_testbed::{Ends, await_that};

use crate::support::local;
pub(crate) use bed::RemoteBed;

/// Far longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than whatever is to be at once takes on a busy machine, and shorter than the limits of time that are not to be waited for.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(5);

/// Runs tests of these names, which are the same for all remote stores, for this one.
macro_rules! tests_for {
    ($of:ty, $module:ident: $($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                crate::support::remote::$module::$name::<$of>();
            }
        )+
    };
}
pub(crate) use tests_for;

/// A limiter, yet to be built, that waits for its answers however busy the machine is, unless it is told otherwise.
pub(crate) fn limiting<S: Store + Clone + 'static>(rates: &str, store: &S) -> LimiterBuilder {
    let rates: Rates = rates.parse().unwrap();
    Limiter::builder().rates(rates.iter().copied()).store(store.clone()).call_timeout(PATIENCE)
}

/// A limiter that waits for its answers.
pub(crate) fn patient<S: Store + Clone + 'static>(rates: &str, store: &S) -> Limiter {
    limiting(rates, store).build().unwrap()
}

/// A limiter that waits for its answers as long as it does by default.
pub(crate) fn by_default<S: Store + Clone + 'static>(rates: &str, store: &S) -> Limiter {
    limiting(rates, store).call_timeout(LimiterBuilder::CALL_TIMEOUT).build().unwrap()
}

pub(crate) fn quota(rates: &str) -> Quota {
    Quota::new(Algorithm::default(), rates.parse::<Rates>().unwrap()).unwrap()
}

/// Has a store carry out one operation.
pub(crate) fn submit(store: &impl Store, operation: &Operation<'_>) -> Outcome {
    store.submit(Batch::from(operation)).wait().remove(0)
}

/// Asks a store whose server does not answer until it takes in no more: what it has taken in, and what it says then.
pub(crate) fn fill(store: &impl Store) -> (Vec<Submission>, Error) {
    let quota = quota("1000000/h");
    let acquire = Operation::new("user:42", Action::Acquire { quota: &quota, weight: 1, standing: Standing::Alone });
    let mut waiting = Vec::new();
    // More than may wait, and than are under way.
    for _ in 0..100_000 {
        let mut submission = store.submit(Batch::from(&acquire));
        if let Submission::Pending(pending) = &mut submission
            && let Poll::Ready(mut outcomes) = pending.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            return (waiting, outcomes.remove(0).unwrap_err());
        }
        waiting.push(submission);
    }
    panic!("it takes in whatever comes");
}

/// What a limiter says under each policy for outages while the store takes in no more.
pub(crate) fn refuses_under_every_policy<S: Store + Clone + 'static>(store: &S) {
    for policy in [OutagePolicy::Error, OutagePolicy::FailOpen, OutagePolicy::FailClosed, local("1/h")] {
        let limiter = limiting("1000000/h", store).on_outage(policy.clone()).call_timeout(None).build().unwrap();
        let error = refused(limiter.try_acquire("user:42"));
        assert_eq!(error.kind(), ErrorKind::Capacity, "{policy:?}: {error}");
    }
}

#[track_caller]
pub(crate) fn used(store: &impl Store, key: &str, rates: &str) -> u64 {
    let quota = quota(rates);
    match submit(store, &Operation::new(key, Action::Peek { quota: &quota })).unwrap() {
        scupper::store::Reply::Peeked(snapshot) => snapshot.usage[0].used,
        other => panic!("{other:?}"),
    }
}

/// The error of a request that could not be decided; a denial is none.
#[track_caller]
pub(crate) fn refused(decision: Result<Decision<'_>, Error>) -> Error {
    match decision {
        Err(error) => error,
        Ok(decision) => panic!("decided: {decision:?}"),
    }
}

#[track_caller]
pub(crate) fn admits(limiter: &Limiter, key: &str) {
    let decision = limiter.try_acquire(key).unwrap();
    assert!(decision.is_admitted(), "{decision:?}");
}

/// Asks for each of these keys from a thread of its own until the work is done: no request may be denied, or fail in a way that
/// does not pass.
pub(crate) fn through_outages(limiter: &Limiter, keys: &[&str], work: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for key in keys {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    match limiter.try_acquire(key) {
                        Ok(decision) => assert!(decision.is_admitted(), "{decision:?}"),
                        Err(error) => assert!(passes(&error), "{error}"),
                    }
                }
            });
        }
        work();
    });
}

fn passes(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Unknown)
}

/// Asks again and again for what fits, until it is admitted: says how long that took, and how many errors it was. A denial
/// would be a lie, and so would an error that no later attempt can better.
#[track_caller]
pub(crate) fn recovers(limiter: &Limiter, key: &str) -> (Duration, u32) {
    let (start, mut errors) = (Instant::now(), 0);
    await_that("the request is admitted", || match limiter.try_acquire(key) {
        Ok(decision) => {
            assert!(decision.is_admitted(), "{decision:?}");
            true
        }
        Err(error) => {
            assert!(passes(&error), "{error}");
            errors += 1;
            false
        }
    });
    (start.elapsed(), errors)
}

/// Does this until it takes less than that, a few times at the most: a machine may stand still at any time, and hardly each time.
#[track_caller]
pub(crate) fn is_within(limit: Duration, mut attempt: impl FnMut()) {
    let mut late = Vec::new();
    while late.len() < 5 {
        let start = Instant::now();
        attempt();
        late.push(start.elapsed());
        if late.last().is_some_and(|took| *took < limit) {
            return;
        }
    }
    panic!("{late:?}, and not once within {limit:?}");
}

/// All keys of buckets that owe something, so many at a time.
pub(crate) fn list_all(limiter: &Limiter, most: usize) -> Result<Vec<String>, Error> {
    let mut keys = Vec::new();
    let mut page = limiter.list("", None, most)?;
    loop {
        assert!(page.keys.len() <= most);
        keys.append(&mut page.keys);
        let Some(next) = page.next else { return Ok(keys) };
        page = limiter.list("", Some(&next), most)?;
    }
}
