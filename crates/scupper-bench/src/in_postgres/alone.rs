//! One caller, who waits for each answer before asking again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use scupper::Durability;

use crate::contest::{Expected, Measure, Pace, Side};
use crate::in_postgres::site::Site;
use crate::in_postgres::{CLIENT, HOT_KEY, MANY_KEYS, NEVER_FULL};
use crate::limit::Limit;
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::peers::select::NAME as SELECT;
use crate::peers::table_lock::{NAME as TABLE_LOCK, TableLock};
use crate::row::{Row, Target};

const FULL: Limit = Limit::new(1_000, Duration::from_hours(7 * 24));
const RELAXED: Option<Target> = Some(Target::AtMost(2.5));
const STRICT: Option<Target> = Some(Target::AtMost(6.0));
const STRICT_HOT: &str = "strict, hot key";
const STRICT_MANY: &str = "strict, 1000 keys";

pub(super) fn run(pace: Pace) -> Result<Vec<Row>> {
    let site = Site::new()?;
    let select = site.select()?;
    let (relaxed, strict) = (site.open("relaxed", Durability::Relaxed)?, site.open("strict", Durability::Strict)?);
    let gcra_store = Arc::new(site.store("gcra", Durability::Relaxed).connect_blocking()?);
    let gcra = Asked::open(&NEVER_FULL, Algorithm::Gcra, gcra_store)?;
    let full_store = Arc::new(site.store("full", Durability::Strict).connect_blocking()?);
    let full = Asked::open_without_cache(&[FULL], full_store)?;
    full.fill("full", 1, FULL.requests)?;
    let peer = TableLock::new(site.pool()?, NEVER_FULL);
    let contest = site.contest(
        "1 caller",
        pace,
        &[
            Side::tasks(SELECT, Expected::Admitted, 1, |_| select.clone()),
            Side::tasks(HOT_KEY, Expected::Admitted, 1, |_| relaxed.one("hot")),
            Side::threads("blocking", Expected::Admitted, 1, |_, laps| relaxed.ask_for("blocking", laps)),
            Side::tasks(MANY_KEYS, Expected::Admitted, 1, |number| relaxed.any(&site.keys, number)),
            Side::tasks("gcra", Expected::Admitted, 1, |_| gcra.one("gcra")),
            Side::tasks("denied", Expected::Denied, 1, |_| full.one("full")),
            Side::tasks(STRICT_HOT, Expected::Admitted, 1, |_| strict.one("hot")),
            Side::tasks(STRICT_MANY, Expected::Admitted, 1, |number| strict.any(&site.keys, number)),
            peer.side(1),
        ],
    )?;
    let mut rows = Vec::new();
    for side in [HOT_KEY, "blocking", MANY_KEYS, "gcra", "denied"] {
        rows.push(contest.row(side, SELECT, Measure::TIME, RELAXED)?);
    }
    for side in [STRICT_HOT, STRICT_MANY] {
        rows.push(contest.row(side, SELECT, Measure::TIME, STRICT)?);
        rows.push(contest.row(side, TABLE_LOCK, Measure::TIME, None)?);
    }
    rows.push(contest.row(HOT_KEY, SELECT, CLIENT, None)?);
    rows.extend(contest.latencies(&[HOT_KEY, STRICT_HOT], SELECT)?);
    Ok(rows)
}
