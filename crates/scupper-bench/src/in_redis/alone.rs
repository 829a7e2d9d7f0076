//! One caller, who waits for each answer before asking again.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::contest::{Contest, Expected, Measure, Pace, Side};
use crate::in_redis::site::Site;
use crate::in_redis::{CLIENT, COMMANDS, HOT_KEY, MANY_KEYS, NEVER_FULL, SERVER};
use crate::limit::Limit;
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::peers::ping::NAME as PING;
use crate::row::{Row, Target};

const FULL: Limit = Limit::new(1_000, Duration::from_hours(7 * 24));
const TARGET: Option<Target> = Some(Target::AtMost(1.4));

pub(super) fn run(pace: Pace) -> Result<Vec<Row>> {
    let anywhere = contest("1 caller", pace)?;
    let pinned = thread::spawn(move || {
        // All that is started from here inherits it.
        pin()?;
        contest("1 caller, 1 processor", pace)
    });
    let pinned = pinned.join().map_err(|_| anyhow!("the pinned thread panicked"))??;
    let mut rows = Vec::new();
    for contest in [&anywhere, &pinned] {
        for side in [HOT_KEY, "blocking", MANY_KEYS, "gcra", "denied"] {
            rows.push(contest.row(side, PING, Measure::TIME, TARGET)?);
        }
    }
    for side in [HOT_KEY, "gcra", "denied"] {
        rows.push(pinned.row(side, PING, CLIENT, None)?);
        rows.push(pinned.row(side, PING, SERVER, None)?);
        rows.push(pinned.share(side, COMMANDS, SERVER)?);
    }
    rows.extend(anywhere.latencies(&[HOT_KEY, MANY_KEYS], PING)?);
    Ok(rows)
}

fn contest(case: &str, pace: Pace) -> Result<Contest> {
    let site = Site::new()?;
    let ping = site.ping()?;
    let log = Asked::open(&NEVER_FULL, Algorithm::SlidingWindowLog, site.open()?)?;
    let gcra = Asked::open(&NEVER_FULL, Algorithm::Gcra, site.open()?)?;
    let full = Asked::open_without_cache(&[FULL], site.open()?)?;
    full.fill("full", 1, FULL.requests)?;
    site.contest(
        case,
        pace,
        &[
            Side::tasks(PING, Expected::Admitted, 1, |_| ping.clone()),
            Side::tasks(HOT_KEY, Expected::Admitted, 1, |_| log.one("hot")),
            Side::threads("blocking", Expected::Admitted, 1, |_, laps| log.ask_for("blocking", laps)),
            Side::tasks(MANY_KEYS, Expected::Admitted, 1, |number| log.any(&site.keys, number)),
            Side::tasks("gcra", Expected::Admitted, 1, |_| gcra.one("gcra")),
            Side::tasks("denied", Expected::Denied, 1, |_| full.one("full")),
        ],
    )
}

/// Keeps this thread on the first of its processors.
fn pin() -> Result<()> {
    let all = sched_getaffinity(None)?;
    let mut first = CpuSet::new();
    if let Some(processor) = (0..CpuSet::MAX_CPU).find(|&processor| all.is_set(processor)) {
        first.set(processor);
    }
    Ok(sched_setaffinity(None, &first)?)
}
