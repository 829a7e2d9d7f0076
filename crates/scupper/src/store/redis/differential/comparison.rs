//! Both sides, asked the same.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::quota::Quota;
use crate::rate::Rate;
use crate::store::batch::{Action, Operation};
use crate::store::outcome::{Admission, Outcome, Reply, Verdict};
use crate::store::redis::differential::model::{Model, is_beyond, says_beyond_doubles};
use crate::store::redis::differential::server::Server;
use crate::time::Timestamp;

/// The bucket that is asked where there is but one.
pub(super) const KEY: &str = "a";

/// How an acquire is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Alone, so that the script may take its short way.
    Plain,
    /// With a look behind it, so that it may not.
    Looking,
}

pub(super) struct Comparison {
    pub(super) server: Server,
    model: Model,
    /// When each bucket was asked.
    asked: HashMap<String, Asked>,
    /// The longest that was asked for.
    retention: u64,
    /// What was asked and expected up to now, where somebody will read it.
    pub(super) told: Option<String>,
}

struct Asked {
    /// The latest time, since it was last asked at one far before.
    newest: u64,
    /// Whether a caller has brought a time.
    has_own_time: bool,
    /// Whether a time was behind, since then or at it.
    is_behind: bool,
}

/// Why there is nothing more to compare.
#[derive(Debug)]
pub(super) enum End {
    /// What is owed is owed for hundreds of years: the script counts no further.
    OfTime,
    Difference(String),
}

impl Comparison {
    pub(super) fn new() -> Self {
        Self { server: Server::new(), model: Model::default(), asked: HashMap::new(), retention: 0, told: None }
    }

    /// Leaves nothing of what was before.
    pub(super) fn begin(&mut self) {
        self.server.begin();
        self.model = Model::default();
        self.asked.clear();
        self.retention = 0;
        self.told = self.told.take().map(|_| String::new());
    }

    /// Whether there is a bucket at this time.
    pub(super) fn has(&mut self, key: &str, clock: u64) -> bool {
        self.expire(clock);
        self.model.bucket(key).is_some()
    }

    /// The outcomes of a batch, if both sides have the same.
    pub(super) fn submit(&mut self, clock: u64, operations: &[Operation<'_>]) -> Result<Vec<Outcome>, End> {
        self.expire(clock);
        let now = Timestamp::from_micros(clock);
        let before: Vec<Option<u64>> = operations.iter().map(|asked| self.server.expiry(asked.key)).collect();
        let decided = self.server.carry_out(operations, clock);
        let expected = self.model.carry_out(operations, now);
        for ((operation, decided), expected) in operations.iter().zip(&decided).zip(&expected) {
            if let Some(told) = &mut self.told {
                let _ = writeln!(told, "{clock} {operation:?}\n -> {expected:?}");
            }
            if !is_same(decided, expected) {
                let is_beyond = expected.as_ref().is_ok_and(says_beyond_doubles);
                return Err(self.end(is_beyond, &format!("expected {expected:?}\nand not {decided:?}")));
            }
        }
        let behind: Vec<&str> =
            operations.iter().filter(|asked| self.is_behind(asked, now)).map(|asked| asked.key).collect();
        for (operation, before) in operations.iter().zip(before).filter(|(asked, _)| !behind.contains(&asked.key)) {
            self.check_expiry(operation.key, now, before)?;
        }
        Ok(decided)
    }

    /// The reply to one operation at the server's time, which must be the same on both sides.
    pub(super) fn ask(&mut self, clock: u64, action: Action<'_>) -> Reply {
        self.submit(clock, &[Operation::new(KEY, action)]).unwrap().remove(0).unwrap()
    }

    /// Acquires so many units; the permit, if there is one.
    pub(super) fn acquire(&mut self, clock: u64, quota: &Quota, weight: u64, way: Way) -> Option<Admission> {
        let acquire = Operation::acquire(KEY, quota, weight);
        let operations = [acquire, Operation::new(KEY, Action::Peek { quota })];
        let asked = if way == Way::Plain { &operations[..1] } else { &operations };
        match &self.submit(clock, asked).unwrap()[0] {
            Ok(Reply::Acquired(Verdict::Admitted(admission))) => Some(*admission),
            _ => None,
        }
    }

    /// Takes so many units, whether or not they fit.
    pub(super) fn penalize(&mut self, clock: u64, quota: &Quota, units: u64) {
        let (whole, rest) = (units / Rate::MAX_LIMIT, units % Rate::MAX_LIMIT);
        let penalize = |units| Operation::new(KEY, Action::Penalize { quota, units });
        let mut operations = vec![penalize(Rate::MAX_LIMIT); usize::try_from(whole).unwrap()];
        operations.extend((rest > 0).then(|| penalize(rest)));
        self.submit(clock, &operations).unwrap();
    }

    /// Whether the bucket is in a list, if both sides say the same.
    pub(super) fn owes(&mut self, clock: u64, key: &str) -> Result<bool, End> {
        self.expire(clock);
        let decided = self.server.owes(key, clock);
        let expected = self.model.bucket(key).is_some_and(|bucket| bucket.settled_from().as_micros() > clock);
        if is_same(&decided, &Ok(Reply::Reset(expected))) {
            return Ok(expected);
        }
        Err(self.end(false, &format!("owes at {clock}: expected {expected}\nand not {decided:?}")))
    }

    /// What has expired is gone on both sides, and was to be forgotten.
    fn expire(&mut self, clock: u64) {
        for key in self.server.expire(clock) {
            self.model.forget(&key);
        }
    }

    /// Whether the bucket's time may lie ahead of this operation's: a hold that has passed by then may be forgotten, and seem not
    /// to have passed here. Where callers keep the time, theirs may stay behind, and the server's is behind theirs or not.
    fn is_behind(&mut self, operation: &Operation<'_>, now: Timestamp) -> bool {
        self.retention = operation.quota().map_or(0, Quota::retention).max(self.retention);
        let time = operation.at.unwrap_or(now).as_micros();
        let asked = self.asked.entry(operation.key.to_owned());
        let asked = asked.or_insert(Asked { newest: time, has_own_time: false, is_behind: false });
        if time > asked.newest || asked.newest - time > self.retention {
            asked.newest = time;
        }
        asked.has_own_time |= operation.at.is_some();
        asked.is_behind |= asked.has_own_time && time < asked.newest;
        asked.is_behind || time < asked.newest
    }

    /// A bucket is there as long as it owes something, and about a second longer.
    fn check_expiry(&self, key: &str, now: Timestamp, before: Option<u64>) -> Result<(), End> {
        let expiry = self.server.expiry(key).map(|millis| millis * 1_000);
        let idle_from = self.model.bucket(key).map(|bucket| bucket.idle_from().as_micros());
        let (expiry, idle_from) = match (expiry, idle_from) {
            (None, None) => return Ok(()),
            (Some(expiry), Some(idle_from)) => (expiry, idle_from),
            other => return Err(self.end(false, &format!("one has a bucket at {now}, the other has none: {other:?}"))),
        };
        let is_new = Some(expiry) != before.map(|millis| millis * 1_000);
        let after = expiry.saturating_sub(idle_from.max(now.as_micros()));
        if expiry < idle_from || (is_new && !(1_000_000..1_001_000).contains(&after)) {
            let text = format!("it expires at {expiry} and is idle from {idle_from}, at {now}");
            return Err(self.end(is_beyond(Timestamp::from_micros(idle_from)), &text));
        }
        Ok(())
    }

    fn end(&self, is_beyond_doubles: bool, difference: &str) -> End {
        if is_beyond_doubles || self.model.is_beyond_doubles {
            return End::OfTime;
        }
        End::Difference(format!("{}{difference}", self.told.as_deref().unwrap_or_default()))
    }
}

fn is_same(decided: &Outcome, expected: &Outcome) -> bool {
    match (decided, expected) {
        (Ok(decided), Ok(expected)) => decided == expected,
        (Err(decided), Err(expected)) => decided.to_string() == expected.to_string(),
        _ => false,
    }
}
