//! One caller, who waits for each answer before asking again.

use std::time::Duration;

use anyhow::Result;

use crate::contest::{Expected, Measure, Pace, Side};
use crate::harness::Plan;
use crate::in_sqlite::site::Site;
use crate::in_sqlite::{HOT_KEY, KEY_NEVER_FULL, MANY_KEYS, NEVER_FULL};
use crate::limit::Limit;
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::peers::insert::NAME as INSERT;
use crate::row::{Row, Target};

const WEEK: Duration = Duration::from_hours(7 * 24);
const FULL: Limit = Limit::new(1_000, WEEK);
/// Keeps whatever comes, and has room for more.
const LONG: Limit = Limit::new(100_000_000, WEEK);
const TARGET: Option<Target> = Some(Target::AtMost(1.5));

const TWO_RATES: &str = "2 rates";
const LONG_LOG: &str = "2 rates, long log";
const GCRA: &str = "gcra";
const DENIED: &str = "denied";
const TASK: &str = "task";

pub(super) fn run(plan: &Plan, pace: Pace) -> Result<Vec<Row>> {
    let site = Site::new()?;
    println!("The files of SQLite are on {}.", site.folder.file_system);
    let open = |limits: &[Limit], algorithm| Asked::open(limits, algorithm, site.store.clone());
    let one = open(&NEVER_FULL[..1], Algorithm::SlidingWindowLog)?;
    let two = open(&NEVER_FULL, Algorithm::SlidingWindowLog)?;
    let long = open(&[NEVER_FULL[0], LONG], Algorithm::SlidingWindowLog)?;
    let any = open(&[KEY_NEVER_FULL], Algorithm::SlidingWindowLog)?;
    let gcra = open(&NEVER_FULL[..1], Algorithm::Gcra)?;
    let full = Asked::open_without_cache(&[FULL], site.store.clone())?;
    long.fill("long", 1, if plan.is_quick() { 2_000 } else { 50_000 })?;
    full.fill("full", 1, FULL.requests)?;
    let insert = site.insert(1)?;
    let admitted = Expected::Admitted;
    let contest = site.contest(
        "1 caller",
        pace,
        &[
            Side::threads(INSERT, admitted, 1, |thread, laps| insert.fill(thread, laps)),
            Side::threads(HOT_KEY, admitted, 1, |_, laps| one.ask_for("one", laps)),
            Side::threads(TWO_RATES, admitted, 1, |_, laps| two.ask_for("two", laps)),
            Side::threads(LONG_LOG, admitted, 1, |_, laps| long.ask_for("long", laps)),
            Side::threads(GCRA, admitted, 1, |_, laps| gcra.ask_for("gcra", laps)),
            Side::threads(DENIED, Expected::Denied, 1, |_, laps| full.ask_for("full", laps)),
            Side::threads(MANY_KEYS, admitted, 1, |number, laps| any.ask_for_any(&site.keys, number, laps)),
            Side::tasks(TASK, admitted, 1, |_| one.one("task")),
        ],
    )?;
    let mut rows = Vec::new();
    for side in [HOT_KEY, TWO_RATES, LONG_LOG, GCRA, DENIED, MANY_KEYS, TASK] {
        rows.push(contest.row(side, INSERT, Measure::TIME, TARGET)?);
    }
    rows.extend(contest.latencies(&[HOT_KEY, MANY_KEYS], INSERT)?);
    Ok(rows)
}
