//! A server that is away, and comes back.

use scupper::store::Store;
use scupper::{Cause, Decision, ErrorKind, OutagePolicy, Source};
use scupper_testbed::await_that;

use crate::support::local;
use crate::support::remote::{admits, limiting, refused};

const RATES: &str = "1000/h";
const KEY: &str = "user:42";

/// What each policy says while the server is away, and that none says anything when it is back: says how many units are then
/// in use, of the four before and the four after.
pub(crate) fn each_policy_rules_while_it_is_away<S: Store + Clone + 'static>(
    store: &S,
    goes: impl FnOnce(),
    comes_back: impl FnOnce(),
) -> u64 {
    let policies = [OutagePolicy::Error, OutagePolicy::FailOpen, OutagePolicy::FailClosed, local("1/h")];
    let limiters = policies.map(|policy| limiting(RATES, store).on_outage(policy).build().unwrap());
    for limiter in &limiters {
        admits(limiter, KEY);
    }
    goes();
    let [error, open, closed, fallback] = &limiters;
    for turn in 0..3 {
        assert_eq!(refused(error.try_acquire(KEY)).kind(), ErrorKind::Unavailable);
        assert_eq!(open.try_acquire(KEY).unwrap().source(), Source::FailOpen);
        let outage = closed.try_acquire(KEY).unwrap();
        assert!(matches!(&outage, Decision::Denied(denied) if denied.cause() == Cause::Outage), "{outage:?}");
        let decision = fallback.try_acquire(KEY).unwrap();
        assert_eq!((decision.source(), decision.is_admitted()), (Source::Fallback, turn == 0));
    }
    comes_back();
    for limiter in &limiters {
        await_that("the server decides again", || {
            limiter.try_acquire(KEY).is_ok_and(|decision| decision.source() == Source::Store)
        });
    }
    error.peek(KEY).unwrap().usage[0].used
}
