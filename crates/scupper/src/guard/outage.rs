use crate::error::{Error, ErrorKind, Result};
use crate::guard::ask::Ask;
use crate::guard::breaker::Breaker;
use crate::guard::policy::OutagePolicy;
use crate::quota::Quota;
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::{Admission, Batch, Cause, Denial, MemoryStore, Snapshot, Standing, Store, Verdict};
use crate::sync::Arc;
use crate::time::Timestamp;
use crate::timer::Timer;

/// A policy at work: it notices when the store cannot tell, and rules in its place.
#[derive(Debug)]
pub(super) enum Outage {
    Reported,
    FailOpen(Breaker),
    FailClosed(Breaker),
    Fallback(Breaker, Quota, MemoryStore),
}

impl Outage {
    pub(super) fn new(policy: OutagePolicy, timer: &Arc<dyn Timer>) -> Self {
        let breaker = Breaker::default();
        match policy {
            OutagePolicy::Error => Self::Reported,
            OutagePolicy::FailOpen => Self::FailOpen(breaker),
            OutagePolicy::FailClosed => Self::FailClosed(breaker),
            OutagePolicy::Fallback(quota) => {
                Self::Fallback(breaker, quota, MemoryStore::builder().shared_timer(Arc::clone(timer)).build())
            }
        }
    }

    fn breaker(&self) -> Option<&Breaker> {
        match self {
            Self::Reported => None,
            Self::FailOpen(breaker) | Self::FailClosed(breaker) | Self::Fallback(breaker, ..) => Some(breaker),
        }
    }

    /// Where the policy's own rates are held to.
    pub(super) fn fallback(&self) -> Option<&MemoryStore> {
        if let Self::Fallback(_, _, store) = self { Some(store) } else { None }
    }

    /// The rulings of the policy, if the store need not be asked now.
    pub(super) fn rule_at_once(&self, key: &str, asks: &[Ask], now: Timestamp) -> Option<Vec<Result<Ruling>>> {
        if self.breaker().is_none_or(|breaker| breaker.lets_through(now)) {
            return None;
        }
        Some(self.rule(key, &asks.iter().collect::<Vec<_>>(), now))
    }

    /// The ruling of the policy on one that waited for the store as long as it could. How long that was says nothing of the store.
    pub(super) fn rule_one(&self, key: &str, ask: &Ask, now: Timestamp) -> Option<Result<Ruling>> {
        self.breaker()?;
        self.rule(key, &[ask], now).pop()
    }

    /// Puts the policy's rulings in place of those that say that the store could not tell.
    pub(super) fn replace(&self, key: &str, asks: &[Ask], rulings: &mut [Result<Ruling>], now: Timestamp) {
        let Some(breaker) = self.breaker() else { return };
        let affected: Vec<usize> = (0..asks.len()).filter(|place| is_outage(&rulings[*place])).collect();
        if affected.is_empty() {
            breaker.note_answer();
            return;
        }
        breaker.note_outage(now);
        let affected_asks: Vec<&Ask> = affected.iter().map(|place| &asks[*place]).collect();
        for (place, ruling) in affected.into_iter().zip(self.rule(key, &affected_asks, now)) {
            // What may have been carried out is not asked for again: who would wait for that is told instead.
            let is_asked_again = asks[place].standing == Standing::Waiting && is_denied(&ruling);
            if !(is_asked_again && is_unknown(&rulings[place])) {
                rulings[place] = ruling;
            }
        }
    }

    fn rule(&self, key: &str, asks: &[&Ask], now: Timestamp) -> Vec<Result<Ruling>> {
        let closed = |breaker: &Breaker| Closed { now, next_try: breaker.next_try(now) };
        match self {
            Self::Reported => {
                asks.iter().map(|_| Err(Error::new(ErrorKind::Unavailable, "the store is away"))).collect()
            }
            Self::FailOpen(_) => asks.iter().map(|ask| Ok(let_pass(ask, now))).collect(),
            Self::FailClosed(breaker) => closed(breaker).rule(asks, Source::FailClosed).map(Ok).collect(),
            Self::Fallback(breaker, quota, store) => {
                // One that waits and is too heavy for the fallback waits for the store, and whoever stands behind it for it.
                let is_too_heavy = |ask: &&Ask| ask.standing == Standing::Waiting && ask.weight > quota.capacity();
                let (decided, behind) = asks.split_at(asks.iter().position(is_too_heavy).unwrap_or(asks.len()));
                let mut rulings = rule_locally(store, quota, key, decided, closed(breaker));
                rulings.extend(closed(breaker).rule(behind, Source::Fallback).map(Ok));
                rulings
            }
        }
    }
}

fn let_pass(ask: &Ask, now: Timestamp) -> Ruling {
    let verdict = Verdict::Admitted(Admission { tick: now, weight: ask.weight, sequence: 0 });
    Ruling::new(verdict, Source::FailOpen, &ask.quota).with_snapshot(unseen(ask, now))
}

fn unseen(ask: &Ask, now: Timestamp) -> Option<Snapshot> {
    ask.detailed.then(|| Snapshot::new(now, None, Vec::new()))
}

/// Nobody passes before the store is tried again.
#[derive(Clone, Copy, Debug)]
struct Closed {
    now: Timestamp,
    next_try: Timestamp,
}

impl Closed {
    fn rule(self, asks: &[&Ask], source: Source) -> impl Iterator<Item = Ruling> {
        let mut is_held_up = false;
        asks.iter().map(move |ask| {
            let is_behind = is_held_up && ask.standing != Standing::Alone;
            is_held_up |= ask.standing == Standing::Waiting;
            let verdict = self.denied(if is_behind { Cause::Queued } else { Cause::Outage });
            Ruling::new(verdict, source, &ask.quota).with_snapshot(unseen(ask, self.now))
        })
    }

    fn denied(self, cause: Cause) -> Verdict {
        Verdict::Denied(Denial { now: self.now, retry_at: self.next_try, rate: None, cause })
    }
}

fn rule_locally(store: &MemoryStore, quota: &Quota, key: &str, asks: &[&Ask], closed: Closed) -> Vec<Result<Ruling>> {
    let asks: Vec<Ask> = asks.iter().map(|ask| Ask { quota: quota.clone(), ..(*ask).clone() }).collect();
    let operations: Vec<_> = asks.iter().flat_map(|ask| ask.operations(key, closed.now)).collect();
    let mut outcomes = store.submit(Batch::new(&operations)).wait().into_iter();
    let read = |ask: &Ask| {
        let mut ruling = ask.read(Source::Fallback, &mut outcomes)?;
        match &mut ruling.verdict {
            // The rates that count may allow it, once the store is back.
            verdict @ Verdict::NeverFits { .. } => (*verdict, ruling.rate) = (closed.denied(Cause::Outage), None),
            // Who waits tries the store as soon as that may be tried.
            Verdict::Denied(denial) if ask.standing == Standing::Waiting => {
                let pause = denial.retry_at.since(denial.now).min(closed.next_try.since(closed.now));
                denial.retry_at = denial.now + pause;
            }
            _ => {}
        }
        Ok(ruling)
    };
    asks.iter().map(read).collect()
}

fn is_outage(ruling: &Result<Ruling>) -> bool {
    is_unknown(ruling) || matches!(ruling, Err(error) if error.kind() == ErrorKind::Unavailable)
}

fn is_unknown(ruling: &Result<Ruling>) -> bool {
    matches!(ruling, Err(error) if error.kind() == ErrorKind::Unknown)
}

fn is_denied(ruling: &Result<Ruling>) -> bool {
    matches!(ruling, Ok(Ruling { verdict: Verdict::Denied(_), .. }))
}
