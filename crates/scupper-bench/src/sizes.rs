//! Bytes per key: what was requested of the allocator and is still held, the limiter included,
//! less the bytes of the keys themselves.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::ALLOCATOR;
use crate::harness::Plan;
use crate::limit::Limit;
use crate::ours::{self, Algorithm};
use crate::peers::governor;
use crate::row::{Row, Spread, Target};

const WEEK: Duration = Duration::from_hours(7 * 24);
const LIMIT: Limit = Limit::new(100, WEEK);
/// Half again the bare timestamps, and 128 bytes.
const LOG_ALLOWANCE: f64 = 1.5 * 100.0 * 8.0 + 128.0;
const GCRA_ALLOWANCE: f64 = 160.0;
/// Below this many keys, what belongs to no key weighs too much to be told apart.
const FEWEST: u32 = 10_000;

/// Weighs full logs, and GCRA's keys at several counts and at the worst of all counts between.
///
/// # Errors
///
/// If a limiter cannot be built, or denies what its limit allows.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let (log_counts, gcra_counts): (&[u32], &[u32]) = if plan.is_quick() {
        (&[10_000], &[10_000, 50_000, 100_000])
    } else {
        (&[10_000, 100_000], &[10_000, 50_000, 100_000, 1_000_000])
    };
    let mut rows = Vec::new();
    for &count in log_counts {
        let weight = weigh(count, LIMIT.requests, || ours::weighed(LIMIT, Algorithm::SlidingWindowLog))?;
        rows.push(row(
            format!("size, log of 100, full, {count} keys"),
            weight.last().context("nothing weighed")?.1,
            ("1.5 x timestamps + 128 B", LOG_ALLOWANCE),
            Some(1.0),
        ));
    }
    let most = gcra_counts.iter().copied().max().unwrap_or(FEWEST);
    let ours = weigh(most, 1, || ours::weighed(LIMIT, Algorithm::Gcra))?;
    let theirs = weigh(most, 1, || governor::weighed(LIMIT))?;
    for &count in gcra_counts {
        let case = format!("size, gcra, {count} keys");
        let (ours, theirs) = (at(&ours, count)?, at(&theirs, count)?);
        rows.push(row(case.clone(), ours, ("160 B", GCRA_ALLOWANCE), Some(1.0)));
        rows.push(row(case, ours, ("governor", theirs), None));
    }
    let case = format!("size, gcra, worst of {FEWEST} to {most} keys");
    let (ours, theirs) = (worst(&ours), worst(&theirs));
    rows.push(row(case.clone(), ours, ("160 B", GCRA_ALLOWANCE), Some(1.0)));
    rows.push(row(case, ours, ("governor", theirs), None));
    Ok(rows)
}

fn row(case: String, ours: f64, peer: (&'static str, f64), target: Option<f64>) -> Row {
    Row {
        suite: "memory",
        case,
        ours: Spread::exactly(ours),
        peer_name: peer.0,
        peer: Spread::exactly(peer.1),
        unit: "B/key",
        ratio: Spread::exactly(ours / peer.1),
        target: target.map(Target::AtMost),
    }
}

/// Bytes per key at each count of keys at which a look was taken.
type Weights = Vec<(u32, f64)>;

/// Makes a limiter, then `rounds` requests for each of `count` keys. One key's requests lie a
/// whole round apart, so that they fall on different ticks and none share an entry. During the
/// last round, which with one round is the one that brings in the keys, looks are taken.
fn weigh<F>(count: u32, rounds: u32, limiter: impl FnOnce() -> Result<F>) -> Result<Weights>
where
    F: Fn(&String) -> Result<bool>,
{
    let keys: Vec<String> = (0..count).map(|n| format!("user:{n}")).collect();
    let mut weights = Vec::with_capacity(8_192);
    let before = ALLOCATOR.current_usage();
    let request = limiter()?;
    let mut key_bytes = 0;
    for round in 1..=rounds {
        for (key, nth) in keys.iter().zip(1_u32..) {
            ensure!(request(key)?, "request {round} of {key} was denied");
            if round == 1 {
                key_bytes += key.len();
            }
            let is_look = rounds == 1 && nth >= FEWEST && nth.is_multiple_of(250);
            if round == rounds && (nth == count || is_look) {
                let held = ALLOCATOR.current_usage().saturating_sub(before);
                let held = u32::try_from(held.saturating_sub(key_bytes))?;
                weights.push((nth, f64::from(held) / f64::from(nth)));
            }
        }
    }
    // The limiter lives until the last look.
    drop(request);
    Ok(weights)
}

fn at(weights: &Weights, count: u32) -> Result<f64> {
    let found = weights.iter().find(|(keys, _)| *keys == count);
    found.map(|(_, weight)| *weight).with_context(|| format!("not weighed at {count} keys"))
}

fn worst(weights: &Weights) -> f64 {
    weights.iter().map(|(_, weight)| *weight).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn a_kilobyte_kept_per_request_weighs_a_kilobyte() -> Result<()> {
        let weights = weigh(FEWEST, 1, || {
            let kept = RefCell::new(Vec::with_capacity(FEWEST as usize));
            Ok(move |_: &String| {
                kept.borrow_mut().push(vec![1_u8; 1024].into_boxed_slice());
                Ok(true)
            })
        })?;
        let held = at(&weights, FEWEST)?;
        // The vector of boxes adds 16 bytes each, and `user:0` to `user:9999` are taken off.
        let names = (10.0 * 6.0 + 90.0 * 7.0 + 900.0 * 8.0 + 9_000.0 * 9.0) / 10_000.0;
        // Other tests of this process allocate a little meanwhile.
        assert!((held - (1024.0 + 16.0 - names)).abs() < 50.0, "{held}");
        Ok(())
    }

    #[test]
    fn a_denial_while_filling_is_an_error() {
        assert!(weigh(10, 1, || Ok(|_: &String| Ok(false))).is_err());
    }
}
