//! Acquires, decided on a bucket where it lies.

use crate::algorithm::{Blocked, FixedWindow, Gcra, Lane};
use crate::error::Result;
use crate::pace::Pace;
use crate::quota::{Algorithm, Quota};
use crate::store::bucket::numbers::{Kind, corrupt, head, numbers_of};
use crate::store::bucket::state::denial;
use crate::store::outcome::{Admission, Verdict};
use crate::time::Timestamp;

/// The head of a bucket where a store keeps it, number by number.
pub(crate) trait Place {
    /// The number at this place of the head; the store has made sure that the head is as long as it says.
    fn get(&self, at: usize) -> u64;

    /// Puts a number there.
    fn set(&mut self, at: usize, number: u64);
}

/// The events of a log where a store keeps them.
pub(crate) trait Log {
    /// Units in the log, those that have left every window and were not dropped yet included.
    fn units(&self) -> u64;

    /// When the `nth` oldest unit was admitted, from 1 to [`units`](Self::units).
    fn tick_of(&mut self, nth: u64) -> Result<u64>;

    /// Writes down `weight` units at `tick`, which is not before the newest event, and may be that one's. Nobody looks again
    /// at events before `keep_from`. It is asked before anything else changes: where it fails, there is no trace.
    fn append(&mut self, tick: u64, weight: u64, keep_from: u64) -> Result<()>;
}

/// Decides as [`BucketState`](crate::store::BucketState) would, and looks at no more of the bucket than it takes.
///
/// There is no answer, and nothing has changed, where the bucket has to be seen as a whole: other rates or another algorithm
/// than asked for, callers who keep the time, a clock that stepped back far.
#[inline(always)]
pub(crate) fn acquire_in_place(
    place: &mut impl Place,
    log: &mut impl Log,
    quota: &Quota,
    clock: u64,
    weight: u64,
) -> Result<Option<Verdict>> {
    let high_water = place.get(head::HIGH_WATER);
    let retention = quota.retention().max(place.get(head::RETENTION));
    if !is_kept_by(place, quota) || high_water.saturating_sub(clock) > retention {
        return Ok(None);
    }
    if weight > quota.capacity() {
        return Ok(Some(Verdict::NeverFits { rate: quota.tightest() }));
    }
    let now = clock.max(high_water);
    let held_until = place.get(head::HELD_UNTIL);
    let blocked = match quota.algorithm() {
        Algorithm::SlidingWindowLog => blocked_by_log(log, quota.paces(), now, weight)?,
        Algorithm::FixedWindow => blocked_by_lanes::<FixedWindow>(place, quota.paces(), now, weight)?,
        Algorithm::Gcra => blocked_by_lanes::<Gcra>(place, quota.paces(), now, weight)?,
    };
    if blocked.is_some() || held_until > now {
        return Ok(Some(Verdict::Denied(denial(blocked, held_until, clock))));
    }
    match quota.algorithm() {
        Algorithm::SlidingWindowLog => log.append(now, weight, now.saturating_sub(retention))?,
        Algorithm::FixedWindow => charge_lanes::<FixedWindow>(place, quota.paces(), now, weight)?,
        Algorithm::Gcra => charge_lanes::<Gcra>(place, quota.paces(), now, weight)?,
    }
    let sequence = place.get(head::SEQUENCE).wrapping_add(weight);
    place.set(head::HIGH_WATER, now);
    place.set(head::SEQUENCE, sequence);
    Ok(Some(Verdict::Admitted(Admission { tick: Timestamp::from_micros(now), weight, sequence })))
}

/// Whether the bucket is under these rates and no others, and on the store's time.
#[inline(always)]
pub(crate) fn is_kept_by(place: &impl Place, quota: &Quota) -> bool {
    let kind = Kind { algorithm: quota.algorithm(), has_own_time: false, rates: quota.rates().len(), others: 0 };
    // Flattened, the iterator would take longer than all else that is looked at.
    place.get(head::KIND) == kind.to_number()
        && quota.rates().iter().enumerate().all(|(nth, rate)| {
            let at = head::RATES + nth * head::NUMBERS_OF_A_RATE;
            let [limit, interval, burst] = numbers_of(rate);
            place.get(at) == limit && place.get(at + 1) == interval && place.get(at + 2) == burst
        })
}

#[inline(always)]
fn blocked_by_log(log: &mut impl Log, paces: &[Pace], now: u64, weight: u64) -> Result<Option<Blocked>> {
    let units = log.units();
    let mut last = None;
    for (rate, pace) in paces.iter().enumerate() {
        // So many of the oldest units must have left.
        let leaving = units.saturating_add(weight).saturating_sub(pace.rate.limit());
        if leaving == 0 {
            continue;
        }
        let until = log.tick_of(leaving)?.saturating_add(pace.rate.interval_micros()).saturating_add(1);
        if until > now {
            last = Some(Blocked::or_later(last, Blocked { until, rate }));
        }
    }
    Ok(last)
}

#[inline(always)]
fn blocked_by_lanes<L: Lane>(place: &impl Place, paces: &[Pace], now: u64, weight: u64) -> Result<Option<Blocked>> {
    let mut last = None;
    for (rate, pace) in paces.iter().enumerate() {
        let until = lane::<L>(place, paces, rate)?.free_from(pace, now, weight);
        if until > now {
            last = Some(Blocked::or_later(last, Blocked { until, rate }));
        }
    }
    Ok(last)
}

#[inline(always)]
fn charge_lanes<L: Lane>(place: &mut impl Place, paces: &[Pace], now: u64, weight: u64) -> Result<()> {
    for (rate, pace) in paces.iter().enumerate() {
        let mut lane = lane::<L>(place, paces, rate)?;
        lane.charge(pace, now, weight);
        let (first, second) = lane.to_parts();
        let at = lane_at(paces, rate);
        place.set(at, first);
        place.set(at + 1, second);
    }
    Ok(())
}

#[inline(always)]
fn lane<L: Lane>(place: &impl Place, paces: &[Pace], rate: usize) -> Result<L> {
    let at = lane_at(paces, rate);
    L::from_parts(&paces[rate], (place.get(at), place.get(at + 1)))
        .ok_or_else(|| corrupt("what it remembers does not go with its algorithm and rates"))
}

const fn lane_at(paces: &[Pace], rate: usize) -> usize {
    head::RATES + paces.len() * head::NUMBERS_OF_A_RATE + rate * head::NUMBERS_OF_A_LANE
}

#[cfg(test)]
mod tests;
