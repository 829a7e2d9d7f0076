//! The suite `memory`: what one decision costs, and what one key weighs.
//!
//! A peer gets one limit, where ours may get three, and the same stream of requests; all of them
//! must be admitted, or all denied. Peers that are not exact decide by another rule, so limits
//! are such that every rule agrees.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::harness::{Case, Plan};
use crate::keys::Keys;
use crate::limit::{Limit, Outcome};
use crate::ours::{self, Algorithm};
use crate::peers::{governor, leaky_bucket, rate_net, ratelimit, throttlecrab};
use crate::row::Row;
use crate::sizes;

const SUITE: &str = "memory";
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Out of reach for anything slower than 2 ns, with some hundred entries in the window.
const NEVER_FULL: [Limit; 3] = [
    Limit::new(1_000, Duration::from_micros(2)),
    Limit::new(2_000, Duration::from_micros(8)),
    Limit::new(4_000, Duration::from_micros(20)),
];
/// Once full, full for the length of any run: an even flow leaks one request in 100 minutes.
const LONG_FULL: [Limit; 3] =
    [Limit::new(100, WEEK), Limit::new(150, WEEK.saturating_mul(2)), Limit::new(200, WEEK.saturating_mul(4))];
const KEYS: u32 = 10_000;
/// Out of reach for anything slower than 5 ns, with a dozen entries or more in each window.
const KEY_NEVER_FULL: Limit = Limit::new(100, Duration::from_millis(5));
/// Not 1: throttlecrab's entries for a burst of one expire at once, so that it never denies.
const KEY_LONG_FULL: Limit = Limit::new(2, WEEK);

/// A thread may lose its processor between reading the clock and deciding. GCRA takes it for one
/// that comes late, and denies if that is later than its burst lasts. So it gets the same rate
/// with a burst that outlasts any such pause, which costs it nothing.
const PAUSE_TIMES: u32 = 100_000;

/// Runs every case and returns their rows. One case's limiters are gone before the next one's
/// are made.
///
/// # Errors
///
/// If a side cannot be built, or decides other than its case says.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut time = |case: Result<Case>| -> Result<()> {
        rows.extend(case?.run(plan)?);
        Ok(())
    };
    for outcome in [Outcome::Admit, Outcome::Deny] {
        time(log_by_handle(outcome))?;
        time(log_of_three_rates_by_handle(outcome))?;
        time(gcra_by_handle(outcome))?;
        time(log_by_key(outcome))?;
        for threads in [2, 4] {
            time(log_by_handle_from(threads, outcome))?;
            time(log_by_key_from(threads, outcome))?;
        }
    }
    rows.extend(sizes::run(plan)?);
    Ok(rows)
}

/// What governor gets of a limit when several threads share it.
fn shared(limit: Limit, outcome: Outcome) -> Limit {
    match outcome {
        Outcome::Admit => limit.with_burst_times(PAUSE_TIMES),
        Outcome::Deny => limit,
    }
}

/// The limits of one bucket that leave only this outcome.
fn limits(outcome: Outcome) -> [Limit; 3] {
    match outcome {
        Outcome::Admit => NEVER_FULL,
        Outcome::Deny => LONG_FULL,
    }
}

fn key_limit(outcome: Outcome) -> Limit {
    match outcome {
        Outcome::Admit => KEY_NEVER_FULL,
        Outcome::Deny => KEY_LONG_FULL,
    }
}

fn log_by_handle(outcome: Outcome) -> Result<Case> {
    let [limit, ..] = limits(outcome);
    let ours = ours::one_bucket(&[limit], Algorithm::SlidingWindowLog, outcome)?;
    let name = format!("one bucket, log, 1 rate, {outcome}");
    Ok(Case::new(SUITE, name, outcome, ours)
        .against(governor::one_bucket(limit, outcome)?, 1.25)
        .beside(leaky_bucket::one_bucket(limit, outcome)?)
        .beside(ratelimit::one_bucket(limit, outcome)?)
        .beside(rate_net::one_bucket(limit, outcome)?)
        .beside(throttlecrab::one_bucket(limit, outcome)?))
}

fn log_of_three_rates_by_handle(outcome: Outcome) -> Result<Case> {
    let limits = limits(outcome);
    let ours = ours::one_bucket(&limits, Algorithm::SlidingWindowLog, outcome)?;
    let name = format!("one bucket, log, 3 rates, {outcome}");
    let governor = governor::one_bucket(limits[0], outcome)?;
    Ok(Case::new(SUITE, name, outcome, ours).against(governor, 1.25))
}

fn gcra_by_handle(outcome: Outcome) -> Result<Case> {
    let [limit, ..] = limits(outcome);
    let ours = ours::one_bucket(&[limit], Algorithm::Gcra, outcome)?;
    let name = format!("one bucket, gcra, {outcome}");
    let governor = governor::one_bucket(limit, outcome)?;
    Ok(Case::new(SUITE, name, outcome, ours).against(governor, 1.1))
}

fn log_by_key(outcome: Outcome) -> Result<Case> {
    let keys = Arc::new(Keys::new(KEYS, 1));
    let limit = key_limit(outcome);
    // The peer's table first, so that ours does not choose the better memory.
    let governor = governor::keyed(limit, Arc::clone(&keys), outcome)?;
    let ours = ours::keyed(limit, Arc::clone(&keys), outcome)?;
    let name = format!("{KEYS} keys, log, {outcome}");
    Ok(Case::new(SUITE, name, outcome, ours).against(governor, 1.1).beside(throttlecrab::keyed(limit, keys, outcome)?))
}

fn log_by_handle_from(threads: u32, outcome: Outcome) -> Result<Case> {
    let [limit, ..] = limits(outcome);
    let ours = ours::one_bucket(&[limit], Algorithm::SlidingWindowLog, outcome)?;
    let name = format!("{threads} threads, one bucket, log, {outcome}");
    let governor = governor::one_bucket(shared(limit, outcome), outcome)?;
    let case = Case::new(SUITE, name, outcome, ours).against(governor, 1.1);
    Ok(case.threads(threads))
}

fn log_by_key_from(threads: u32, outcome: Outcome) -> Result<Case> {
    let keys = Arc::new(Keys::new(KEYS, threads));
    let limit = key_limit(outcome);
    let governor = governor::keyed(shared(limit, outcome), Arc::clone(&keys), outcome)?;
    let ours = ours::keyed(limit, keys, outcome)?;
    let name = format!("{threads} threads, {KEYS} keys, log, {outcome}");
    let case = Case::new(SUITE, name, outcome, ours).against(governor, 1.1);
    Ok(case.threads(threads))
}
