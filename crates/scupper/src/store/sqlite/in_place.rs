use crate::error::Result;
use crate::quota::Quota;
use crate::rate::Rate;
use crate::store::batch::{Action, Operation};
use crate::store::bucket::{Log, Place, acquire_in_place, head, is_kept_by};
use crate::store::outcome::{Reply, Snapshot, Usage};
use crate::store::sqlite::form::Head;
use crate::store::sqlite::log::RowLog;
use crate::time::Timestamp;

/// A log where it lies, at a reading of the store's clock.
pub(super) struct InPlace<'a> {
    pub(super) head: &'a mut Head,
    pub(super) log: RowLog<'a>,
    pub(super) clock: u64,
}

impl InPlace<'_> {
    /// Carries out an operation so that it takes no longer the longer the log is. No answer, and nothing done, where the bucket has
    /// to be seen as a whole.
    pub(super) fn apply(mut self, operation: &Operation<'_>) -> Result<Option<Reply>> {
        if operation.at.is_some() {
            return Ok(None);
        }
        match operation.action {
            Action::Acquire { quota, weight, .. } => {
                let verdict = acquire_in_place(self.head, &mut self.log, quota, self.clock, weight)?;
                Ok(verdict.map(Reply::Acquired))
            }
            Action::Peek { quota } => Ok(self.look(quota)?.map(Reply::Peeked)),
            Action::Penalize { quota, units } => self.penalize(quota, units),
            _ => Ok(None),
        }
    }

    /// The bucket's time and for how long it remembers, if it is under these rates, and the clock has not stepped back far.
    fn time(&self, quota: &Quota) -> Option<(u64, u64)> {
        let retention = quota.retention().max(self.head.get(head::RETENTION));
        let high_water = self.head.get(head::HIGH_WATER);
        let is_plain = is_kept_by(self.head, quota) && high_water.saturating_sub(self.clock) <= retention;
        is_plain.then(|| (self.clock.max(high_water), retention))
    }

    fn look(&mut self, quota: &Quota) -> Result<Option<Snapshot>> {
        let Some((now, _)) = self.time(quota) else { return Ok(None) };
        let mut usage = Vec::with_capacity(quota.rates().len());
        for rate in quota.rates() {
            let interval = rate.interval_micros();
            let used = self.log.units_from(now.saturating_sub(interval))?;
            let newest = self.log.newest.events.last().map_or(0, |(tick, _)| *tick);
            let reset_at = if used > 0 { newest.saturating_add(interval).saturating_add(1) } else { now };
            usage.push(Usage::new(*rate, used, Timestamp::from_micros(reset_at)));
        }
        let held_until = Some(self.head.get(head::HELD_UNTIL)).filter(|held_until| *held_until > now);
        let clock = Timestamp::from_micros(self.clock);
        Ok(Some(Snapshot::new(clock, held_until.map(Timestamp::from_micros), usage)))
    }

    fn penalize(&mut self, quota: &Quota, units: u64) -> Result<Option<Reply>> {
        let Some((now, retention)) = self.time(quota) else { return Ok(None) };
        // Of debts beyond the largest limit, the oldest may be dropped: that is seen on the whole.
        let most = quota.rates().iter().map(Rate::limit).max().unwrap_or_default().max(self.head.get(head::LIMIT));
        if self.log.units() > most {
            return Ok(None);
        }
        self.log.append(now, units, now.saturating_sub(retention))?;
        self.head.set(head::HIGH_WATER, now);
        self.head.set(head::SEQUENCE, self.head.get(head::SEQUENCE).wrapping_add(units));
        Ok(Some(Reply::Penalized(Timestamp::from_micros(now))))
    }
}
