//! The suite passes a plain store, and catches each of the mistakes that can be made in it.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use scupper::conformance::{
    Mode, Opened, Subject, batches, clock, contention, decisions, housekeeping, keys, limiter, numbers, rates, waits,
};
use scupper::store::{
    Action, Admission, Batch, BucketState, Cause, Cursor, Denial, Line, Operation, Outcome, Outcomes, Page, Reply,
    Standing, Store, Submission, Verdict,
};
use scupper::{Error, ErrorKind, ManualTimer, Quota, Timer, Timestamp};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flaw {
    #[default]
    None,
    AdmitsWhatIsNearlyDue,
    DeniesWhenBusy,
    ChargesTheDenied,
    RetriesEarly,
    RetriesLate,
    AnswersBackwards,
    LetsOthersBetween,
    SpoilsTheBatch,
    KnowsNoLine,
    LetsNobodyPass,
    NeverForgets,
    ForgetsWhenAsked,
    ForgetsWhatOwesLong,
    ForgetsHolds,
    BelievesTheClock,
    ForgetsTheFloor,
    CountsMilliseconds,
    CountsInHalfWords,
    IgnoresTheCallersTime,
    CutsKeysAtNul,
    FoldsKeys,
    ListsWhatContains,
    ListsWithoutEnd,
    RefundsTwice,
    LooksAndTakes,
    RefusesNoAlgorithm,
}

/// Buckets in a map: the plainest store that there can be, but for its flaw.
#[derive(Clone, Debug)]
struct Plain {
    flaw: Flaw,
    timer: ManualTimer,
    buckets: Arc<Mutex<BTreeMap<String, BucketState>>>,
    /// The latest time that a caller brought.
    newest: Arc<AtomicU64>,
}

impl Plain {
    fn open(flaw: Flaw) -> Opened {
        let plain = Self { flaw, timer: ManualTimer::new(), buckets: Arc::default(), newest: Arc::default() };
        let (timer, inside) = (plain.timer.clone(), plain.clone());
        Opened::new(plain).on(timer).counting(move || inside.count())
    }

    /// How many buckets there are.
    fn count(&self) -> usize {
        if self.flaw == Flaw::ForgetsWhenAsked { self.buckets.lock().unwrap().len() } else { self.lock().len() }
    }

    /// The buckets, without those that owe nothing.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BucketState>> {
        let mut buckets = self.buckets.lock().unwrap();
        let now = self.timer.now();
        match self.flaw {
            Flaw::NeverForgets => {}
            // As if it were not among what is stored.
            Flaw::ForgetsTheFloor => buckets.values_mut().for_each(|bucket| {
                let mut stored = bucket.to_bytes();
                stored[43..51].fill(0);
                *bucket = BucketState::from_bytes(&stored).unwrap();
            }),
            Flaw::ForgetsWhatOwesLong => {
                buckets.retain(|_, bucket| (1..1_000_000).contains(&bucket.idle_from().since(now).as_secs()));
            }
            _ => buckets.retain(|_, bucket| bucket.idle_from() > now),
        }
        buckets
    }

    fn key(&self, key: &str) -> String {
        match self.flaw {
            Flaw::CutsKeysAtNul => key.split('\0').next().unwrap_or_default().into(),
            Flaw::FoldsKeys => key.to_lowercase(),
            _ => key.into(),
        }
    }

    fn list(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Page {
        let from = after.map_or(0, |after| after.place().parse().unwrap());
        let buckets = self.lock();
        let now = self.timer.now();
        let fits = |(key, bucket): &(&String, &BucketState)| match self.flaw {
            Flaw::ListsWhatContains => key.contains(prefix),
            _ => key.starts_with(prefix) && bucket.settled_from() > now,
        };
        let most = if self.flaw == Flaw::ListsWithoutEnd { usize::MAX } else { most };
        let keys: Vec<String> = buckets.iter().filter(fits).skip(from).take(most).map(|(key, _)| key.clone()).collect();
        let next = (keys.len() == most).then(|| Cursor::new((from + most).to_string()));
        Page { keys, next }
    }

    fn decide(&self, buckets: &mut BTreeMap<String, BucketState>, operation: &Operation<'_>) -> Outcome {
        let now = self.timer.now();
        let mut operation = *operation;
        match self.flaw {
            Flaw::IgnoresTheCallersTime => operation.at = None,
            Flaw::CountsMilliseconds => operation.at = operation.at.map(|at| rounded(at, |at| at / 1_000 * 1_000)),
            Flaw::CountsInHalfWords => operation.at = operation.at.map(|at| rounded(at, |at| at % (1 << 32))),
            _ => {}
        }
        let key = self.key(operation.key);
        let Some(quota) = operation.quota() else {
            let Some(bucket) = buckets.get_mut(&key) else { return operation.without_bucket() };
            let outcome = bucket.apply(&operation, now);
            if let (Flaw::RefundsTwice, Action::Refund(admission)) = (self.flaw, operation.action) {
                operation.action = Action::Refund(Admission { weight: 1, ..admission });
                let _ = bucket.apply(&operation, now);
            }
            return outcome;
        };
        if matches!(self.flaw, Flaw::RefusesNoAlgorithm)
            && buckets.get(&key).is_some_and(|bucket| bucket.quota().algorithm() != quota.algorithm())
        {
            buckets.remove(&key);
        }
        let fresh = || BucketState::new(quota, operation.at.unwrap_or(now).min(now));
        let bucket = buckets.entry(key.clone()).or_insert_with(fresh);
        let at = operation.at.unwrap_or_default().as_micros();
        if self.flaw == Flaw::BelievesTheClock && self.newest.fetch_max(at, Ordering::Relaxed) > at + 1_000_000 {
            *bucket = fresh();
        }
        let outcome = match self.flaw {
            Flaw::AdmitsWhatIsNearlyDue => nearly(bucket, &operation, now),
            _ => bucket.apply(&operation, now),
        };
        let outcome = self.spoiled(bucket, &operation, outcome, now, quota);
        if self.flaw == Flaw::ForgetsHolds && matches!(operation.action, Action::Hold { .. }) {
            *bucket = fresh();
        }
        outcome
    }

    fn spoiled(
        &self,
        bucket: &mut BucketState,
        operation: &Operation<'_>,
        mut outcome: Outcome,
        now: Timestamp,
        quota: &Quota,
    ) -> Outcome {
        let mut take = || {
            let _ = bucket.apply(&Operation { action: Action::Penalize { quota, units: 1 }, ..*operation }, now);
        };
        match (self.flaw, &mut outcome) {
            (Flaw::ChargesTheDenied, Ok(Reply::Acquired(Verdict::Denied(_))))
            | (Flaw::LooksAndTakes, Ok(Reply::Peeked(_))) => {
                take();
            }
            (Flaw::RetriesEarly, Ok(Reply::Acquired(Verdict::Denied(denial)))) => {
                denial.retry_at = rounded(denial.retry_at, |at| at - 1);
            }
            (Flaw::RetriesLate, Ok(Reply::Acquired(Verdict::Denied(denial)))) => {
                denial.retry_at = rounded(denial.retry_at, |at| at + 1);
            }
            _ => {}
        }
        outcome
    }
}

fn rounded(at: Timestamp, round: impl Fn(u64) -> u64) -> Timestamp {
    Timestamp::from_micros(round(at.as_micros()))
}

/// Admits a tick early.
fn nearly(bucket: &mut BucketState, operation: &Operation<'_>, now: Timestamp) -> Outcome {
    let outcome = bucket.apply(operation, now);
    match &outcome {
        Ok(Reply::Acquired(Verdict::Denied(denial))) if denial.retry_at.since(denial.now).as_micros() == 1 => {
            bucket.apply(&operation.at(denial.retry_at), now)
        }
        _ => outcome,
    }
}

fn busy(now: Timestamp) -> Denial {
    Denial { now, retry_at: rounded(now, |now| now + 1), rate: Some(0), cause: Cause::Full }
}

/// The same operation, and if it is in line, one that waits.
fn waiting<'a>(operation: &Operation<'a>) -> Operation<'a> {
    match operation.action {
        Action::Acquire { quota, weight, standing: Standing::Passing } => {
            Operation { action: Action::Acquire { quota, weight, standing: Standing::Waiting }, ..*operation }
        }
        _ => *operation,
    }
}

/// Has others come meanwhile, on however few processors.
fn nap() {
    std::thread::sleep(std::time::Duration::from_nanos(1));
}

impl Store for Plain {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let (mut line, mut outcomes) = (Line::default(), Outcomes::new());
        for run in batch.runs() {
            if let [Operation { key, action: Action::List { after, most }, .. }] = run {
                outcomes.push(Ok(Reply::Listed(self.list(key, *after, *most))));
                continue;
            }
            let is_busy = self.flaw == Flaw::DeniesWhenBusy && self.buckets.try_lock().is_err();
            if is_busy && let [Operation { action: Action::Acquire { .. }, .. }] = run {
                outcomes.push(Ok(Reply::Acquired(Verdict::Denied(busy(self.timer.now())))));
                continue;
            }
            let mut buckets = self.lock();
            if self.flaw == Flaw::DeniesWhenBusy {
                nap();
            }
            for operation in run {
                if self.flaw == Flaw::LetsOthersBetween {
                    drop(buckets);
                    nap();
                    buckets = self.lock();
                }
                let outcome = match self.flaw {
                    Flaw::KnowsNoLine => self.decide(&mut buckets, operation),
                    Flaw::LetsNobodyPass => line.pass(&waiting(operation), || self.decide(&mut buckets, operation)),
                    _ => line.pass(operation, || self.decide(&mut buckets, operation)),
                };
                outcomes.push(outcome);
            }
        }
        if self.flaw == Flaw::SpoilsTheBatch && outcomes.iter().any(Result::is_err) {
            let spoiled = |_| Err(Error::new(ErrorKind::AlgorithmMismatch, "sliding-window-log fixed-window gcra"));
            outcomes = outcomes.iter().map(spoiled).collect();
        }
        if self.flaw == Flaw::AnswersBackwards {
            outcomes.reverse();
        }
        Submission::Ready(outcomes)
    }
}

scupper::conformance_tests!(|| Plain::open(Flaw::None));

#[track_caller]
fn is_caught(flaw: Flaw, check: fn(&Subject)) {
    let fixture = || Plain::open(flaw);
    let caught = catch_unwind(AssertUnwindSafe(|| check(&Subject::open(&fixture, Mode::Blocking))));
    assert!(caught.is_err(), "nobody noticed a store that {flaw:?}");
}

#[test]
fn what_is_admitted_or_denied_wrongly_is_caught() {
    is_caught(Flaw::AdmitsWhatIsNearlyDue, decisions::promises_1_to_4_every_outcome_is_that_of_the_naive_model);
    is_caught(Flaw::ChargesTheDenied, batches::promise_3_a_denied_request_leaves_no_trace);
    is_caught(Flaw::ChargesTheDenied, contention::promises_2_and_3_exactly_the_room_is_given_in_every_rate);
    is_caught(Flaw::DeniesWhenBusy, contention::promise_2_never_under_a_hundred_at_once_that_fit_are_all_admitted);
    is_caught(Flaw::RefusesNoAlgorithm, rates::another_algorithm_is_refused_while_the_bucket_owes);
    is_caught(Flaw::RefundsTwice, decisions::promises_1_to_4_every_outcome_is_that_of_the_naive_model);
    is_caught(Flaw::LooksAndTakes, limiter::decisions_and_looks_agree);
    is_caught(Flaw::CountsInHalfWords, numbers::promise_9_as_heavy_as_the_limit_fits_and_a_unit_more_never);
}

#[test]
fn waits_that_are_a_tick_off_are_caught() {
    let exact = waits::promise_4_at_its_retry_tick_a_request_is_admitted_and_a_tick_earlier_denied;
    is_caught(Flaw::RetriesEarly, exact);
    is_caught(Flaw::RetriesLate, exact);
    is_caught(Flaw::CountsMilliseconds, exact);
    is_caught(Flaw::RetriesLate, limiter::promise_4_waiting_ends_at_the_first_tick_with_room);
}

#[test]
fn batches_that_are_no_batches_are_caught() {
    is_caught(Flaw::AnswersBackwards, batches::each_operation_has_its_outcome_in_its_place);
    is_caught(Flaw::SpoilsTheBatch, batches::promise_8_an_operation_that_fails_spoils_no_other);
    is_caught(Flaw::LetsOthersBetween, batches::a_run_on_one_key_is_atomic);
    is_caught(Flaw::KnowsNoLine, batches::promise_5_requests_in_line_are_served_up_to_the_first_misfit);
    is_caught(Flaw::LetsNobodyPass, batches::promise_5_requests_that_do_not_wait_pass_nobody_and_hold_up_nobody);
}

#[test]
fn what_is_kept_for_ever_or_not_kept_is_caught() {
    is_caught(Flaw::NeverForgets, housekeeping::promise_7_idle_buckets_leave_by_themselves);
    is_caught(Flaw::ForgetsWhenAsked, housekeeping::promise_7_idle_buckets_leave_by_themselves);
    is_caught(Flaw::ForgetsWhatOwesLong, housekeeping::promise_7_a_bucket_that_owes_is_kept);
    is_caught(Flaw::ForgetsHolds, housekeeping::promise_7_a_held_bucket_is_kept_until_its_hold_ends);
}

#[test]
fn clocks_that_are_misread_are_caught() {
    is_caught(Flaw::BelievesTheClock, clock::promise_6_a_step_back_of_an_hour_frees_nothing_and_costs_no_hour);
    is_caught(Flaw::ForgetsTheFloor, clock::promise_6_a_permit_from_before_a_step_back_gives_nothing_back);
    is_caught(Flaw::IgnoresTheCallersTime, decisions::the_callers_time_need_not_be_near_the_stores);
}

#[test]
fn keys_that_are_taken_for_others_are_caught() {
    is_caught(Flaw::CutsKeysAtNul, keys::every_key_is_a_bucket_of_its_own);
    is_caught(Flaw::FoldsKeys, keys::every_key_is_a_bucket_of_its_own);
    is_caught(Flaw::ListsWhatContains, keys::keys_are_listed_by_prefix_in_pages);
    is_caught(Flaw::ListsWithoutEnd, keys::keys_are_listed_by_prefix_in_pages);
}
