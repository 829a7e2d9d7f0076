use std::collections::HashMap;
use std::time::Duration;

use smallvec::SmallVec;

use crate::quota::Quota;
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::{Cause, Denial, Verdict};
use crate::sync::{AtomicBool, Mutex, Ordering, lock};
use crate::time::Timestamp;

/// Denials of a remote store that are fresh: a flood on a full bucket hardly reaches it.
#[derive(Debug, Default)]
pub(super) struct Denials {
    keys: Mutex<HashMap<Box<str>, Known>>,
    /// Whether anything was ever learnt: where nothing is, nobody takes the lock.
    is_in_use: AtomicBool,
}

type Known = SmallVec<[Fresh; 1]>;

/// A denial of requests of one weight under one quota.
#[derive(Clone, Debug)]
struct Fresh {
    quota: Quota,
    weight: u64,
    ruling: Ruling,
    /// When the same request is admitted, by the limiter's clock.
    retry_at: Timestamp,
    /// When the call for it was sent.
    sent: Timestamp,
    /// The same request may be admitted from then on.
    open: Timestamp,
    /// Kept until then, for whoever learnt it.
    until: Timestamp,
}

impl Denials {
    const MOST_KEYS: usize = 10_000;
    const MOST_PER_KEY: usize = 8;

    /// Remembers a denial for `keep` from when the call for it was sent, or until the same request is admitted.
    pub(super) fn learn(
        &self,
        key: &str,
        (quota, weight): (&Quota, u64),
        ruling: &Ruling,
        (sent, answered): (Timestamp, Timestamp),
        keep: Duration,
    ) {
        let Verdict::Denied(denial) = &ruling.verdict else { return };
        let is_the_stores = ruling.source == Source::Store && matches!(denial.cause, Cause::Full | Cause::Held);
        let pause = denial.retry_at.since(denial.now);
        let (retry_at, open, until) = (answered + pause, sent + pause, sent + pause.min(keep));
        if !is_the_stores || until <= answered {
            return;
        }
        let ruling = Ruling { source: Source::DenialCache, snapshot: None, ..ruling.clone() };
        let fresh = Fresh { quota: quota.clone(), weight, ruling, retry_at, sent, open, until };
        self.is_in_use.store(true, Ordering::Release);
        let mut keys = lock(&self.keys);
        if keys.len() >= Self::MOST_KEYS && !keys.contains_key(key) {
            keys.retain(|_, known| known.iter().any(|fresh| fresh.until > answered));
            if keys.len() >= Self::MOST_KEYS {
                // To forget costs no more than a call.
                keys.clear();
            }
        }
        let known = keys.entry(key.into()).or_default();
        known.retain(|other| other.until > answered && !other.is_for(quota, weight));
        known.truncate(Self::MOST_PER_KEY - 1);
        known.push(fresh);
    }

    /// What is known of such a request, to one who believes it for no longer than `keep`.
    pub(super) fn find(
        &self,
        key: &str,
        (quota, weight): (&Quota, u64),
        now: Timestamp,
        keep: Duration,
    ) -> Option<Ruling> {
        if !self.is_in_use.load(Ordering::Acquire) {
            return None;
        }
        let keys = lock(&self.keys);
        let is_fresh = |fresh: &&Fresh| now < fresh.open.min(fresh.sent + keep);
        let fresh = keys.get(key)?.iter().find(|fresh| fresh.is_for(quota, weight)).filter(is_fresh)?;
        let mut ruling = fresh.ruling.clone();
        if let Verdict::Denied(denial) = &mut ruling.verdict {
            *denial = Denial { now, retry_at: fresh.retry_at, ..*denial };
        }
        Some(ruling)
    }

    /// The bucket of this key has changed: nothing is known of it any more.
    pub(super) fn forget(&self, key: &str) {
        if self.is_in_use.load(Ordering::Acquire) {
            lock(&self.keys).remove(key);
        }
    }
}

impl Fresh {
    fn is_for(&self, quota: &Quota, weight: u64) -> bool {
        self.weight == weight && self.quota == *quota
    }
}
