use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::guard::ask::Ask;
use crate::guard::call::{Answered, Call, Late, LateRequest};
use crate::guard::limited::Limited;
use crate::guard::outage::Outage;
use crate::guard::policy::OutagePolicy;
use crate::guard::watched::{Afterwards, Watched};
use crate::quota::Quota;
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::{Action, Admission, Batch, Operation, Outcomes, Reply, Store, Submission, SubmissionFuture};
use crate::sync::Arc;
use crate::time::Timestamp;
use crate::timer::Timer;

/// How a store is guarded.
#[derive(Clone, Debug)]
pub(crate) struct GuardSettings {
    pub(crate) call_limit: Option<Duration>,
    pub(crate) keep_denials: Duration,
    pub(crate) policy: OutagePolicy,
}

impl GuardSettings {
    pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(1);
    pub(crate) const KEEP_DENIALS: Duration = Duration::from_millis(100);
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { call_limit: Some(Self::CALL_LIMIT), keep_denials: Self::KEEP_DENIALS, policy: OutagePolicy::default() }
    }
}

/// A store with a limit to the time of each call, and a policy for when there is no answer.
#[derive(Debug)]
pub(crate) struct GuardedStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) timer: Arc<dyn Timer>,
    /// For how long a denial is believed.
    pub(crate) keep_denials: Duration,
    limit: Option<Duration>,
    outage: Outage,
}

impl GuardedStore {
    pub(crate) fn new(store: Arc<dyn Store>, timer: Arc<dyn Timer>, settings: GuardSettings) -> Self {
        let GuardSettings { call_limit, keep_denials, policy } = settings;
        let outage = Outage::new(policy, &timer);
        Self { store, timer, keep_denials, limit: call_limit, outage }
    }

    /// Has the store carry out a batch, within the time that a call may take. If it does not answer at once, what is to be done
    /// `afterwards` is done when it has answered, even if that takes longer or nobody waits for it.
    pub(crate) fn submit(&self, batch: Batch<'_>, afterwards: impl FnOnce() -> Option<Afterwards>) -> Submission {
        let pending = match self.store.submit(batch) {
            ready @ Submission::Ready(_) => return ready,
            pending @ Submission::Pending(_) => pending,
        };
        let pending = match afterwards() {
            Some(afterwards) => Submission::Pending(Box::pin(Watched::new(pending, afterwards))),
            None => pending,
        };
        let looks = |action: Action<'_>| matches!(action, Action::Peek { .. } | Action::List { .. });
        let error = |operation: &Operation<'_>| Err(self.no_answer(looks(operation.action)));
        let errors: Outcomes = batch.operations().iter().map(error).collect();
        let call = Limited::new(pending, &self.timer, self.limit);
        Submission::Pending(Box::pin(async move { call.await.unwrap_or(errors) }))
    }

    /// Asks for what these requests on one key want, in their order.
    pub(crate) fn acquire(self: &Arc<Self>, key: &str, asks: Vec<Ask>) -> Call {
        let now = self.timer.now();
        if let Some(rulings) = self.outage.rule_at_once(key, &asks, now) {
            return Call::Ready(Answered { rulings, late: None });
        }
        let operations: Vec<_> = asks.iter().flat_map(|ask| ask.operations(key, now)).collect();
        let submission = catch_unwind(AssertUnwindSafe(|| self.store.submit(Batch::new(&operations))));
        let pending = match submission {
            Ok(Submission::Ready(outcomes)) => return Call::Ready(self.read(key, &asks, outcomes)),
            Ok(pending @ Submission::Pending(_)) => pending,
            // An outage like any other, but that nothing is known of what was done.
            Err(_) => {
                let panicked = || Err(Error::new(ErrorKind::Unknown, "the store panicked while it was being asked"));
                return Call::Ready(self.read(key, &asks, operations.iter().map(|_| panicked()).collect()));
            }
        };
        let (this, key) = (Arc::clone(self), key.to_owned());
        Call::Pending(Box::pin(async move {
            match Limited::new(pending, &this.timer, this.limit).await {
                Ok(outcomes) => this.read(&key, &asks, outcomes),
                Err(call) => this.give_up(&key, &asks, call),
            }
        }))
    }

    /// What the policy says to a request for which the store's answer does not come in time, if it is not to be an error.
    pub(crate) fn rule_in_its_place(&self, key: &str, ask: &Ask, now: Timestamp) -> Option<Ruling> {
        self.outage.rule_one(key, ask, now)?.ok()
    }

    /// Gives back what was admitted; says how many units made a difference yet. What is to be done `afterwards`: see
    /// [`submit`](Self::submit).
    pub(crate) fn refund(
        &self,
        key: &str,
        admission: Admission,
        source: Source,
        afterwards: impl FnOnce() -> Option<Afterwards>,
    ) -> Submission {
        let refund = Operation::new(key, Action::Refund(admission));
        match (source, self.outage.fallback()) {
            (Source::Fallback, Some(fallback)) => fallback.submit(Batch::from(&refund)),
            // It was counted nowhere, or where nobody can be asked any more: the permit is another limiter's.
            (Source::FailOpen | Source::Fallback, _) => Submission::ready(Ok(Reply::Refunded(0))),
            _ => self.submit(Batch::from(&refund), afterwards),
        }
    }

    /// Holds the bucket of the policy's own rates as well, if it has some: a server that said *come back later* said so to
    /// whoever decides.
    pub(crate) fn hold_fallback(&self, key: &str, duration: Duration) {
        if let Outage::Fallback(_, quota, store) = &self.outage {
            let hold = Operation::new(key, Action::Hold { quota, duration });
            // The memory store answers at once; should it have no room for the key, nothing is held, and nothing admitted.
            drop(store.submit(Batch::from(&hold)));
        }
    }

    /// Counts so many units for what was admitted under this quota, in place of its weight: gives back the rest, or takes
    /// the excess whether or not there is room. Nothing is to be done where it was counted nowhere, or as heavy as it is.
    pub(crate) fn settle(
        &self,
        (key, admission, source): (&str, Admission, Source),
        quota: &Quota,
        units: u64,
        afterwards: impl FnOnce() -> Option<Afterwards>,
    ) -> Option<Submission> {
        if source == Source::FailOpen || units == admission.weight {
            return None;
        }
        if let Some(rest) = admission.weight.checked_sub(units) {
            // The last units of it: those that stay were counted before them.
            return Some(self.refund(key, Admission { weight: rest, ..admission }, source, afterwards));
        }
        let units = units - admission.weight;
        let penalize = |quota| Operation::new(key, Action::Penalize { quota, units });
        Some(match (source, &self.outage) {
            (Source::Fallback, Outage::Fallback(_, local, store)) => store.submit(Batch::from(&penalize(local))),
            _ => self.submit(Batch::from(&penalize(quota)), afterwards),
        })
    }

    fn read(&self, key: &str, asks: &[Ask], outcomes: Outcomes) -> Answered {
        let mut outcomes = outcomes.into_iter();
        let mut rulings: Vec<_> = asks.iter().map(|ask| ask.read(Source::Store, &mut outcomes)).collect();
        self.outage.replace(key, asks, &mut rulings, self.timer.now());
        Answered { rulings, late: None }
    }

    fn give_up(&self, key: &str, asks: &[Ask], call: SubmissionFuture) -> Answered {
        let mut rulings: Vec<_> = asks.iter().map(|_| Err(self.no_answer(false))).collect();
        self.outage.replace(key, asks, &mut rulings, self.timer.now());
        let is_used = |ruling: &Result<Ruling>| ruling.as_ref().is_ok_and(Ruling::is_admitted);
        let late = |(ask, ruling): (&Ask, _)| LateRequest { is_used: is_used(ruling), operations: ask.count() };
        let requests = asks.iter().zip(&rulings).map(late).collect();
        Answered { rulings, late: Some(Late { call, requests }) }
    }

    fn no_answer(&self, changes_nothing: bool) -> Error {
        let limit = self.limit.unwrap_or_default();
        if changes_nothing {
            return Error::new(
                ErrorKind::Unavailable,
                format!("the store did not answer within {limit:?}, the call_timeout"),
            );
        }
        Error::new(
            ErrorKind::Unknown,
            format!(
                "the store did not answer within {limit:?}, the call_timeout; what was asked may or may not have been done"
            ),
        )
    }
}
