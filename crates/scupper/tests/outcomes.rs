//! Every outcome that a request can have is reached here, by a caller who waits and by one who does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use scupper::store::{Batch, BucketState, Store, Submission};
use scupper::{
    Algorithm, Cause, Decision, Error, ErrorKind, Limiter, LimiterBuilder, ManualTimer, MemoryStore, OutagePolicy,
    Quota, Source,
};

fn builder() -> LimiterBuilder {
    Limiter::builder().rates(["1/h".parse().unwrap()]).timer(ManualTimer::new())
}

fn limiter() -> Limiter {
    builder().build().unwrap()
}

/// Fails in one way.
#[derive(Debug)]
struct Failing(ErrorKind);

impl Store for Failing {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let fail = |_| Err(Error::new(self.0, "on command"));
        Submission::Ready(batch.operations().iter().map(fail).collect())
    }
}

/// Never answers.
#[derive(Debug)]
struct Silent;

impl Store for Silent {
    fn submit(&self, _: Batch<'_>) -> Submission {
        Submission::Pending(Box::pin(std::future::pending()))
    }
}

/// The error of a request that does not wait, and that of one which does.
fn errors(limiter: &Limiter, weight: u64) -> [Option<ErrorKind>; 2] {
    let now = limiter.request("key").weight(weight).try_acquire().err();
    let waited = limiter.request("key").weight(weight).acquire().err();
    [now, waited].map(|error| error.map(|error| error.kind()))
}

#[test]
fn every_kind_of_error_is_reached() {
    let mut reached: HashSet<ErrorKind> = HashSet::new();
    let mut note = |kinds: [Option<ErrorKind>; 2]| reached.extend(kinds.into_iter().flatten());

    note(errors(&limiter(), 0));
    note(errors(&limiter(), 2));
    note([Limiter::builder().build().err().map(|error| error.kind()), None]);
    let quota = Quota::new(Algorithm::Gcra, "1/h").unwrap();
    let routed = Limiter::builder().route(move |request| Ok(scupper::Routed::new(request.key(), quota.clone())));
    note([routed.rates(["1/h".parse().unwrap()]).build().err().map(|error| error.kind()), None]);

    let busy = builder().max_waiting(0).build().unwrap();
    let _first = busy.acquire("key").unwrap();
    note([busy.acquire("key").err().map(|error| error.kind()), None]);
    let hurried = limiter();
    let _first = hurried.acquire("key").unwrap();
    let late = hurried.request("key").timeout(Duration::from_secs(1)).acquire().err();
    note([late.map(|error| error.kind()), None]);

    let closed = limiter();
    closed.close();
    note(errors(&closed, 1));

    let timer = ManualTimer::new();
    let full = MemoryStore::builder().timer(timer.clone()).max_keys(1).build();
    let full = Limiter::builder().rates(["1/h".parse().unwrap()]).store(full).timer(timer.clone()).build().unwrap();
    let _other = full.acquire("other").unwrap();
    note(errors(&full, 1));

    let mismatched = limiter();
    let _log = mismatched.acquire("key").unwrap();
    let gcra = mismatched.bucket_under("key", &Quota::new(Algorithm::Gcra, "1/h").unwrap()).unwrap();
    note([gcra.try_acquire().err().map(|error| error.kind()), gcra.acquire().err().map(|error| error.kind())]);

    let damaged = BucketState::from_bytes(b"no bucket").unwrap_err();
    for kind in [damaged.kind(), ErrorKind::Unavailable, ErrorKind::Unknown, ErrorKind::Unsupported] {
        let failing = builder().store(Failing(kind)).build().unwrap();
        assert_eq!(errors(&failing, 1), [Some(kind); 2]);
        note(errors(&failing, 1));
    }

    let silent = Limiter::builder().rates(["1/h".parse().unwrap()]).store(Silent).timer(timer.clone()).build().unwrap();
    let mut waiting = pin!(silent.acquire_async("key"));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    timer.advance(LimiterBuilder::CALL_TIMEOUT);
    assert_eq!(pollster::block_on(waiting).unwrap_err().kind(), ErrorKind::Unknown);

    let all = [
        ErrorKind::InvalidRate,
        ErrorKind::InvalidRequest,
        ErrorKind::InvalidConfig,
        ErrorKind::Timeout,
        ErrorKind::NeverFits,
        ErrorKind::Unknown,
        ErrorKind::Closed,
        ErrorKind::QueueFull,
        ErrorKind::Capacity,
        ErrorKind::AlgorithmMismatch,
        ErrorKind::Corrupt,
        ErrorKind::Unavailable,
        ErrorKind::Unsupported,
    ];
    let missing: Vec<_> = all.into_iter().filter(|kind| !reached.contains(kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(reached.len(), all.len(), "{reached:?}");
}

#[test]
fn every_cause_and_every_source_of_a_decision_is_reached() {
    let mut reached = HashSet::new();
    let mut note = |decision: Decision<'_>| {
        let cause = if let Decision::Denied(denied) = &decision { Some(denied.cause()) } else { None };
        reached.insert((cause, decision.source()));
    };

    let plain = limiter();
    note(plain.try_acquire("key").unwrap());
    note(plain.try_acquire("key").unwrap());
    plain.hold("held", Duration::from_secs(1)).unwrap();
    note(plain.try_acquire("held").unwrap());
    let mut waiting = pin!(plain.acquire_async("key"));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    note(plain.try_acquire("key").unwrap());

    let local = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
    for policy in [OutagePolicy::FailOpen, OutagePolicy::FailClosed, OutagePolicy::Fallback(local)] {
        let out = builder().store(Failing(ErrorKind::Unavailable)).on_outage(policy).build().unwrap();
        note(out.try_acquire("key").unwrap());
        note(out.try_acquire("key").unwrap());
    }
    let expected = [
        (None, Source::Store),
        (Some(Cause::Full), Source::Store),
        (Some(Cause::Held), Source::Store),
        (Some(Cause::Queued), Source::Line),
        (None, Source::FailOpen),
        (Some(Cause::Outage), Source::FailClosed),
        (None, Source::Fallback),
        (Some(Cause::Full), Source::Fallback),
    ];
    assert_eq!(reached, expected.into_iter().collect());
}
