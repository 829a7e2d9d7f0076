//! Every outcome of random lives of buckets is the one that a naive model gives.

use std::time::Duration;

use proptest::collection::vec;
use proptest::strategy::Strategy;

use crate::conformance::cases::{Trace, Weight, quotas, traces, weights};
use crate::conformance::kit::{admitted, denied, log, micros, take, tick};
use crate::conformance::oracle::{Expected, Oracle};
use crate::conformance::property::for_all;
use crate::conformance::replay::Replay;
use crate::conformance::subject::Subject;
use crate::decision::Decision;
use crate::limiter::{Bucket, Limiter};
use crate::quota::Quota;
use crate::source::Source;
use crate::store::{Action, Operation, Reply, Standing, Verdict};

/// Acquire, peek, refund, penalize, reset and hold, one by one and in batches, under every algorithm and any list of
/// rates, with a clock that stands, moves, lands on edges and steps back: each outcome is the oracle's.
pub fn promises_1_to_4_every_outcome_is_that_of_the_naive_model(subject: &Subject) {
    for_all(&traces(quotas().prop_map(|quota| vec![quota])), |trace: &Trace| {
        Replay::new(subject, trace, &subject.fresh_key()).run()
    });
}

/// By operation, by limiter and by handle, on the store's own clock: the same bucket, the same decisions.
pub fn promise_6_every_door_decides_alike_on_the_stores_clock(subject: &Subject) {
    // Intervals of microseconds, as a real clock is not stopped.
    let steps = vec((0_u32..3, 0_usize..4, weights()), 1..60);
    for_all(&(quotas(), steps), |(quota, steps)| {
        let key = subject.fresh_key();
        let limiter = subject.limiter(quota);
        let handle = limiter.bucket(&key).map_err(|error| error.to_string())?;
        let mut doors =
            Doors { subject, limiter: &limiter, handle: &handle, quota, oracle: Oracle::new(quota), last: 0 };
        steps.iter().try_for_each(|(pause, door, weight)| {
            if *pause > 0 {
                subject.let_pass((quota.rates()[0].interval() / 2 * *pause).min(Duration::from_micros(50)));
            }
            doors.ask(&key, *door, *weight)
        })
    });
}

struct Doors<'a> {
    subject: &'a Subject,
    limiter: &'a Limiter,
    handle: &'a Bucket,
    quota: &'a Quota,
    oracle: Oracle,
    last: u64,
}

impl Doors<'_> {
    fn ask(&mut self, key: &str, door: usize, weight: Weight) -> Result<(), String> {
        let (quota, units) = (self.quota, if door == 3 { 1 } else { weight.units(self.quota) });
        let acquire = Action::Acquire { quota, weight: units, standing: Standing::Alone };
        if door == 0 {
            let verdict = self.subject.acquire(&Operation::new(key, acquire));
            let now = match verdict {
                Verdict::Admitted(admission) => admission.tick.as_micros(),
                Verdict::Denied(denial) => denial.now.as_micros(),
                Verdict::NeverFits { .. } => self.last,
            };
            return self.compare(now, &acquire, &verdict);
        }
        let decision = match door {
            1 => self.subject.try_now(self.limiter.request(key).weight(units)),
            2 => self.subject.try_now(self.handle.request().weight(units)),
            _ => self.handle.try_acquire(),
        };
        match decision.map_err(|error| error.to_string())? {
            Decision::Admitted(permit) => {
                self.compare(permit.tick().as_micros(), &acquire, &Verdict::Admitted(permit.admission()))
            }
            Decision::NeverFits(_) if units > quota.capacity() => Ok(()),
            Decision::Denied(denied) => {
                // While nobody comes, the tick of the retry is the same whenever one looks.
                let Expected::Denied { retry_at, .. } = self.oracle.clone().apply(self.last, &acquire) else {
                    return Err(format!("{units} units fitted at {}, and were denied: {denied:?}", self.last));
                };
                let now = retry_at.checked_sub(micros(denied.retry_after())).filter(|now| *now >= self.last);
                let now = now.ok_or_else(|| format!("{denied:?} is too long a wait for {retry_at}"))?;
                if denied.source() == Source::DenialCache {
                    // Its wait is counted from when the store was asked, so that this is no time of the store's.
                    return Ok(());
                }
                match self.oracle.apply(now, &acquire) {
                    Expected::Denied { cause, .. } if cause == denied.cause() => {
                        self.last = now;
                        Ok(())
                    }
                    other => Err(format!("expected {other:?}, got {denied:?}")),
                }
            }
            other @ Decision::NeverFits(_) => Err(format!("{other:?} for {units} units")),
        }
    }

    fn compare(&mut self, now: u64, action: &Action<'_>, verdict: &Verdict) -> Result<(), String> {
        if now < self.last {
            return Err(format!("the store's clock went back from {} to {now}", self.last));
        }
        self.last = now;
        let expected = self.oracle.apply(now, action);
        if let Verdict::Admitted(admission) = verdict {
            self.oracle.learn(*admission);
        }
        expected.compare(&Ok(Reply::Acquired(*verdict)))
    }
}

/// Who brings the time may count from anywhere: the beginning of time, long before the store's clock, or long after.
pub fn the_callers_time_need_not_be_near_the_stores(subject: &Subject) {
    let quota = log("2/min");
    for start in starts(subject, &quota) {
        let key = subject.fresh_key();
        let first = admitted(subject.acquire(&take(&key, &quota, 2, start)));
        assert_eq!(first.tick, tick(start));
        let last = start + 60_000_000;
        assert_eq!(denied(subject.acquire(&take(&key, &quota, 1, last))).retry_at, tick(last + 1), "from {start} on");
        let refund = Operation::new(&key, Action::Refund(first)).at(tick(last));
        assert_eq!(subject.reply(&refund), Reply::Refunded(2), "from {start} on");
        admitted(subject.acquire(&take(&key, &quota, 2, last)));
        denied(subject.acquire(&take(&key, &quota, 1, last)));
    }
}

/// A limiter that is told the time gives back what it gave then, and nothing else.
pub fn permits_of_the_callers_time_can_be_given_back(subject: &Subject) {
    let quota = log("2/min");
    let limiter = subject.limiter(&quota);
    for start in starts(subject, &quota) {
        let key = subject.fresh_key();
        let ask = || match subject.try_now(limiter.request(&key).at(tick(start))).unwrap() {
            Decision::Admitted(permit) => Some(permit.into_owned()),
            _ => None,
        };
        let (Some(first), Some(_)) = (ask(), ask()) else { panic!("two fit") };
        assert_eq!(ask(), None);
        assert_eq!(subject.refund(&limiter, first), 1, "from {start} on");
        assert!(ask().is_some(), "from {start} on");
        assert_eq!(ask(), None, "from {start} on: one was given back, and one admitted since");
    }
}

/// A caller's time may stand still while the store's goes on: for a minute, what is owed at it is not forgotten.
pub fn the_callers_time_may_stand_still(subject: &Subject) {
    let quota = log("1/us");
    let pause = if subject.is_on_manual_time() { Duration::from_secs(59) } else { Duration::from_millis(700) };
    let still = subject.fresh_key();
    admitted(subject.acquire(&take(&still, &quota, 1, 100)));
    for _ in 0..3 {
        // Others come and go, and have the store look for what can leave.
        admitted(subject.acquire(&Operation::acquire(&subject.fresh_key(), &quota, 1)));
        subject.let_pass(pause);
        assert_eq!(denied(subject.acquire(&take(&still, &quota, 1, 101))).retry_at, tick(102));
    }
}

/// Instants at which a caller's time may begin.
fn starts(subject: &Subject, quota: &Quota) -> [u64; 9] {
    if subject.is_on_manual_time() {
        // As far from its origin as a real clock is.
        subject.let_pass(Duration::from_secs(1_780_000_000));
    }
    let now = subject.now(quota).as_micros();
    [0, 1, now / 2, now - 60_000_000, now - 1, now, now + 1, now + 3_600_000_000, now * 2]
}
