use crate::conformance::oracle::expected::Expected;
use crate::conformance::oracle::history::{Back, History};
use crate::conformance::oracle::turns::{Turn, Turns};
use crate::quota::Quota;
use crate::store::{Action, Admission, Cause, Snapshot, Usage};
use crate::time::Timestamp;

/// One bucket, as it should be.
#[derive(Clone, Debug)]
pub(in crate::conformance) struct Oracle {
    quota: Quota,
    history: History,
    /// The tick of the last change.
    newest: u64,
    held_until: u64,
    /// All units counted; not known once the store may have begun anew.
    sequence: Option<u64>,
    /// The longest time for which any list of rates wanted to know.
    retention: u64,
    /// What has made all earlier permits worthless.
    turns: Turns,
}

/// What was admitted, with the bucket's age when it was.
#[derive(Clone, Copy, Debug)]
pub(in crate::conformance) struct Given {
    pub(in crate::conformance) admission: Admission,
    pub(in crate::conformance) age: usize,
}

impl Oracle {
    pub(in crate::conformance) fn new(quota: &Quota) -> Self {
        let history = History::new(quota);
        let (retention, turns) = (retention(quota), Turns::default());
        Self { quota: quota.clone(), history, newest: 0, held_until: 0, sequence: None, retention, turns }
    }

    /// Whether the bucket owes nothing, so that its store may have forgotten it.
    pub(in crate::conformance) fn is_idle(&self, now: u64) -> bool {
        self.history.free_at(&self.quota, self.retention).max(self.held_until) <= now.max(self.newest)
    }

    /// Whether units are counted, so that the algorithm cannot be changed.
    pub(in crate::conformance) fn is_charged(&self, now: u64) -> bool {
        self.history.free_at(&self.quota, self.retention) > now.max(self.newest)
    }

    /// Whether at this reading the clock has gone back for good.
    pub(in crate::conformance) fn is_far_behind(&self, clock: u64) -> bool {
        clock + self.retention < self.newest
    }

    pub(in crate::conformance) fn newest(&self) -> u64 {
        self.newest
    }

    pub(in crate::conformance) fn retention(&self) -> u64 {
        self.retention
    }

    /// Ticks at which the answer to this weight can change.
    pub(in crate::conformance) fn changes(&self, weight: u64) -> Vec<u64> {
        let mut changes = self.history.changes(&self.quota, weight);
        changes.push(self.held_until);
        changes
    }

    /// How often all earlier permits have become worthless: to be remembered with each permit.
    pub(in crate::conformance) fn age(&self) -> usize {
        self.turns.count()
    }

    /// Tells what the store answered to the last change, an acquire, if its number could not be known.
    pub(in crate::conformance) fn learn(&mut self, admission: Admission) {
        self.sequence.get_or_insert(admission.sequence);
    }

    /// Whether a store may take this permit for one of a bucket that it made since: it has nothing to tell them apart by.
    pub(in crate::conformance) fn is_ambiguous(&self, clock: u64, given: &Given) -> bool {
        let Admission { tick, sequence, .. } = given.admission;
        let is_to_come = tick.as_micros() > clock.max(self.newest) || self.sequence.is_some_and(|all| all < sequence);
        !is_to_come && self.turns.may_repeat(given.age, tick.as_micros())
    }

    pub(in crate::conformance) fn refund(&mut self, clock: u64, given: Given) -> Expected {
        let now = self.time(clock);
        let Admission { tick, weight, sequence } = given.admission;
        if given.age != self.age() || tick.as_micros() + self.retention < now {
            return Expected::Refunded(0);
        }
        let later = self.sequence.map_or(u64::MAX, |all| all - sequence);
        let back = Back { tick: tick.as_micros(), weight, later };
        Expected::Refunded(self.history.give_back(&self.quota, now, back))
    }

    /// What the answer to anything but a refund must be; the bucket is then as it should be after it.
    pub(in crate::conformance) fn apply(&mut self, clock: u64, action: &Action<'_>) -> Expected {
        let now = self.time(clock);
        if let Some(quota) = action_quota(action) {
            if quota.algorithm() != self.quota.algorithm() {
                assert!(self.is_charged(now), "the oracle does not know how to change the algorithm");
                return Expected::Mismatch;
            }
            if matches!(action, Action::Peek { .. }) {
                return Expected::Peeked(self.look(quota, clock, now));
            }
            self.adopt(quota);
        }
        match action {
            Action::Acquire { weight, .. } => self.acquire(clock, now, *weight),
            Action::Penalize { units, .. } => {
                self.take(now, *units);
                Expected::Penalized(now)
            }
            Action::Reset => {
                let owed = !self.is_idle(now);
                self.history = History::new(&self.quota);
                (self.held_until, self.newest) = (0, now);
                self.turns.push(Turn::Reset);
                Expected::Reset(owed)
            }
            Action::Hold { duration, .. } => {
                let until = now + u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap();
                self.held_until = self.held_until.max(until);
                self.newest = now;
                Expected::Held(self.held_until)
            }
            Action::Refund(_) | Action::Peek { .. } | Action::List { .. } => unreachable!("asked for elsewhere"),
        }
    }

    fn acquire(&mut self, clock: u64, now: u64, weight: u64) -> Expected {
        let rates = self.quota.rates().clone();
        let too_small: Vec<usize> = (0..rates.len()).filter(|place| rates[*place].burst() < weight).collect();
        if !too_small.is_empty() {
            return Expected::NeverFits { rates: too_small };
        }
        if self.admits(now, weight) {
            self.take(now, weight);
            return Expected::Admitted { tick: now, weight, sequence: self.sequence };
        }
        let candidates = self.changes(weight).into_iter().filter(|tick| *tick > now);
        let retry_at = candidates.filter(|tick| self.admits(*tick, weight)).min().expect("it fits some day");
        assert!(!self.admits(retry_at - 1, weight), "the oracle knows no earlier tick");
        // Whether the rates alone would have let it through a tick earlier.
        let binds = |place: &usize| !self.history.fits(&self.quota, *place, retry_at - 1, weight);
        let rates: Vec<usize> = (0..rates.len()).filter(binds).collect();
        let cause = if rates.is_empty() { Cause::Held } else { Cause::Full };
        Expected::Denied { now: clock, retry_at, cause, rates }
    }

    fn admits(&self, now: u64, weight: u64) -> bool {
        self.held_until <= now && self.history.all_fit(&self.quota, now, weight)
    }

    fn take(&mut self, now: u64, units: u64) {
        self.history.take(&self.quota, now, units);
        self.newest = now;
        self.sequence = self.sequence.map(|all| all + units);
    }

    fn look(&self, quota: &Quota, clock: u64, now: u64) -> Snapshot {
        let usage = quota.rates().iter().enumerate().map(|(place, rate)| {
            let used = self.history.used(quota, place, now);
            let reset_at = Timestamp::from_micros(self.history.reset_at(quota, place, now));
            Usage { rate: *rate, used, remaining: rate.burst().saturating_sub(used), reset_at }
        });
        let held_until = (self.held_until > now).then(|| Timestamp::from_micros(self.held_until));
        Snapshot { now: Timestamp::from_micros(clock), held_until, usage: usage.collect() }
    }

    fn adopt(&mut self, quota: &Quota) {
        if *quota != self.quota {
            assert!(matches!(self.history, History::Log(_)), "the oracle can change the rates of a log only");
            self.retention = self.retention.max(retention(quota));
            self.quota = quota.clone();
        }
    }

    /// The bucket's time at this reading of the clock.
    fn time(&mut self, clock: u64) -> u64 {
        let now = self.pass(clock);
        if self.is_idle(now) {
            // The store may have forgotten it, and may count from the beginning.
            self.sequence = None;
            self.turns.push(Turn::Idle { at: now, soon: now < self.newest + self.retention });
        }
        now
    }

    fn pass(&mut self, clock: u64) -> u64 {
        if clock >= self.newest {
            return clock;
        }
        if !self.is_far_behind(clock) {
            return self.newest;
        }
        self.history.leak(self.newest, self.retention);
        self.history.rebase(&self.quota, self.newest, clock);
        self.held_until = self.held_until.saturating_sub(self.newest - clock);
        self.newest = clock;
        self.turns.push(Turn::Back(clock));
        clock
    }
}

/// For how many microseconds something that was taken can matter.
fn retention(quota: &Quota) -> u64 {
    let of_rate = |rate: &crate::rate::Rate| {
        let drain = u128::from(rate.burst()) * rate.interval().as_micros();
        rate.interval().as_micros().max(drain.div_ceil(u128::from(rate.limit())))
    };
    u64::try_from(quota.rates().iter().map(of_rate).max().unwrap()).unwrap()
}

fn action_quota<'a>(action: &Action<'a>) -> Option<&'a Quota> {
    match *action {
        Action::Acquire { quota, .. }
        | Action::Peek { quota }
        | Action::Penalize { quota, .. }
        | Action::Hold { quota, .. } => Some(quota),
        Action::Refund(_) | Action::Reset | Action::List { .. } => None,
    }
}
