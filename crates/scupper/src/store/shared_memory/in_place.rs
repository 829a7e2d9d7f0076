use crate::error::Result;
use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::batch::{Action, Operation};
use crate::store::bucket::{Kind, Place, acquire_in_place, head, is_kept_by};
use crate::store::outcome::{Admission, Reply, Snapshot, Usage};
use crate::store::shared_memory::bucket::Head;
use crate::store::shared_memory::ring::Ring;
use crate::store::shared_memory::table::{Found, Table};
use crate::store::shared_memory::words::Words;
use crate::time::Timestamp;

/// Carries out an operation on a bucket where it lies, so that it takes no longer the longer its log is. No answer, and
/// nothing done, where the bucket has to be seen as a whole.
pub(super) fn apply_in_place<W: Words + ?Sized>(
    table: &Table<'_, '_, W>,
    found: Found,
    operation: &Operation<'_>,
    now: Timestamp,
) -> Result<Option<Reply>> {
    if operation.at.is_some() {
        return Ok(None);
    }
    let head = Head { change: table.change, slot: found.slot };
    let log = Ring::read(table.change, table.arena, found.slot.block.at)?;
    let mut bucket = Bucket { head, log, clock: now.as_micros() };
    match operation.action {
        Action::Acquire { quota, weight, .. } => {
            let Bucket { head, log, clock } = &mut bucket;
            Ok(acquire_in_place(head, log, quota, *clock, weight)?.map(Reply::Acquired))
        }
        Action::Peek { quota } => Ok(bucket.look(quota).map(Reply::Peeked)),
        Action::Penalize { quota, units } => bucket.penalize(quota, units),
        Action::Refund(admission) => bucket.refund(admission),
        _ => Ok(None),
    }
}

struct Bucket<'c, 'w, W: Words + ?Sized> {
    head: Head<'c, 'w, W>,
    log: Ring<'c, 'w, W>,
    clock: u64,
}

impl<W: Words + ?Sized> Bucket<'_, '_, W> {
    /// A log has at least so many events before any is dropped that still counts as used.
    const MOST_DEBTS: u64 = 32 * 1024;

    /// The bucket's time and for how long it remembers, if it is a log under these rates, on the store's clock, which has not
    /// stepped back far.
    fn plain_log(&self, quota: &Quota) -> Option<(u64, u64)> {
        let is_log = quota.algorithm() == Algorithm::SlidingWindowLog && is_kept_by(&self.head, quota);
        let retention = quota.retention().max(self.head.get(head::RETENTION));
        is_log.then(|| self.time(retention)).flatten().map(|now| (now, retention))
    }

    fn time(&self, retention: u64) -> Option<u64> {
        let high_water = self.head.get(head::HIGH_WATER);
        (high_water.saturating_sub(self.clock) <= retention).then(|| self.clock.max(high_water))
    }

    fn look(&self, quota: &Quota) -> Option<Snapshot> {
        let (now, _) = self.plain_log(quota)?;
        let usage = quota.rates().iter().map(|rate| {
            let interval = rate.interval_micros();
            let used = self.log.units_from(now.saturating_sub(interval));
            let newest = self.log.newest().map_or(0, |(tick, _)| tick);
            let reset_at = if used > 0 { newest.saturating_add(interval).saturating_add(1) } else { now };
            Usage::new(*rate, used, Timestamp::from_micros(reset_at))
        });
        let held_until = Some(self.head.get(head::HELD_UNTIL)).filter(|held_until| *held_until > now);
        let clock = Timestamp::from_micros(self.clock);
        Some(Snapshot::new(clock, held_until.map(Timestamp::from_micros), usage.collect()))
    }

    fn penalize(&mut self, quota: &Quota, units: u64) -> Result<Option<Reply>> {
        let Some((now, retention)) = self.plain_log(quota) else { return Ok(None) };
        let mut keep_from = now.saturating_sub(retention);
        // What lies beyond the largest limit, no request looks at: the oldest of so many debts may be dropped.
        let most = quota.rates().iter().map(Rate::limit).max().unwrap_or_default().max(self.head.get(head::LIMIT));
        if self.log.count() > Self::MOST_DEBTS && self.log.units() > most {
            keep_from = keep_from.max(self.log.tick_of(self.log.units() - most)?);
        }
        self.log.append(now, units, keep_from)?;
        self.head.set(head::HIGH_WATER, now);
        self.head.set(head::SEQUENCE, self.head.get(head::SEQUENCE).wrapping_add(units));
        Ok(Some(Reply::Penalized(Timestamp::from_micros(now))))
    }

    /// Of a log that goes on, and of what was admitted not long ago.
    fn refund(&mut self, admission: Admission) -> Result<Option<Reply>> {
        let kind = self.head.slot.check(self.head.change)?;
        if kind.algorithm != Algorithm::SlidingWindowLog || kind.has_own_time || self.log.count() == 0 {
            return Ok(None);
        }
        let retention = self.longest(kind).max(self.head.get(head::RETENTION));
        let Some(now) = self.time(retention) else { return Ok(None) };
        let (sequence, floor) = (self.head.get(head::SEQUENCE), self.head.get(head::FLOOR));
        let is_above_floor =
            admission.sequence.wrapping_sub(floor) <= sequence.wrapping_sub(floor) && admission.sequence != floor;
        let tick = admission.tick.as_micros();
        let may_be = is_above_floor
            && (self.head.get(head::SINCE)..=now).contains(&tick)
            && tick.saturating_add(retention) >= now;
        if may_be {
            Ok(self.log.take_back(tick, admission.weight)?.map(Reply::Refunded))
        } else {
            Ok(Some(Reply::Refunded(0)))
        }
    }

    /// The longest interval of the rates in use.
    fn longest(&self, kind: Kind) -> u64 {
        let interval = |rate| self.head.get(head::RATES + rate * head::NUMBERS_OF_A_RATE + 1);
        (0..kind.rates).map(interval).max().unwrap_or_default()
    }
}
