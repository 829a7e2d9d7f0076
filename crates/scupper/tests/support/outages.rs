use scupper::{Algorithm, Decision, Error, ErrorKind, Limiter, ManualTimer, OutagePolicy, Permit, Quota, Rates};

use super::{Answers, Failure, SECOND, Scripted, Task};

/// How the store fails to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outage {
    Fails(Failure),
    TakesTooLong,
}

pub(crate) const OUTAGES: [fn() -> Outage; 5] = [
    || Outage::Fails(Failure::of(ErrorKind::Unavailable)),
    || Outage::Fails(Failure::of(ErrorKind::Unknown)),
    || Outage::Fails(Failure::after(ErrorKind::Unavailable)),
    || Outage::Fails(Failure::after(ErrorKind::Unknown)),
    || Outage::TakesTooLong,
];

pub(crate) fn local(rates: &str) -> OutagePolicy {
    OutagePolicy::Fallback(Quota::new(Algorithm::SlidingWindowLog, rates.parse::<Rates>().unwrap()).unwrap())
}

pub(crate) fn begin(outage: Outage, store: &Scripted) {
    match outage {
        Outage::Fails(failure) => store.fail(failure),
        Outage::TakesTooLong => store.answer(Answers::Never),
    }
}

pub(crate) fn end(store: &Scripted) {
    store.recover();
    store.answer(Answers::AtOnce);
}

/// What a request comes to, if need be at the end of the time that a call may take.
pub(crate) fn outcome<T>(mut task: Task<'_, T>, timer: &ManualTimer) -> T {
    if task.is_pending() {
        timer.advance(SECOND);
    }
    task.output()
}

pub(crate) fn ask<'a>(limiter: &'a Limiter, timer: &ManualTimer) -> Result<Decision<'a>, Error> {
    outcome(Task::new(limiter.try_acquire_async("key")), timer)
}

pub(crate) fn acquire<'a>(limiter: &'a Limiter, timer: &ManualTimer) -> Result<Permit<'a>, Error> {
    outcome(Task::new(limiter.acquire_async("key")), timer)
}
