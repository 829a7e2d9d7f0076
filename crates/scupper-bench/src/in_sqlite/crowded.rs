//! Many callers at once, beside one that does bare transactions.

use anyhow::Result;

use crate::contest::{Expected, Measure, Pace, Side};
use crate::in_sqlite::site::Site;
use crate::in_sqlite::{HOT_KEY, KEY_NEVER_FULL, MANY_KEYS, NEVER_FULL};
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::peers::insert::NAME as INSERT;
use crate::row::{Row, Target};

const THREADS: u64 = 8;
const TASKS: u64 = 64;
/// As many as ours.
const INSERTS: &str = "INSERT from 8";

pub(super) fn run(pace: Pace) -> Result<Vec<Row>> {
    let mut rows = threads(pace)?;
    rows.extend(tasks(pace)?);
    Ok(rows)
}

fn threads(pace: Pace) -> Result<Vec<Row>> {
    let site = Site::new()?;
    let (hot, any) = both(&site)?;
    let insert = site.insert(THREADS)?;
    let admitted = Expected::Admitted;
    let contest = site.contest(
        "8 threads",
        pace,
        &[
            Side::threads(INSERT, admitted, 1, |thread, laps| insert.fill(thread, laps)),
            Side::threads(HOT_KEY, admitted, THREADS, |_, laps| hot.ask_for("hot", laps)),
            Side::threads(MANY_KEYS, admitted, THREADS, |number, laps| any.ask_for_any(&site.keys, number, laps)),
            Side::threads(INSERTS, admitted, THREADS, |thread, laps| insert.fill(thread, laps)),
        ],
    )?;
    let mut rows = vec![
        contest.row(HOT_KEY, INSERT, Measure::REQUESTS, Some(Target::AtLeast(1.5)))?,
        contest.row(MANY_KEYS, INSERT, Measure::REQUESTS, None)?,
        contest.row(HOT_KEY, INSERTS, Measure::REQUESTS, None)?,
    ];
    rows.extend(contest.latencies(&[HOT_KEY, MANY_KEYS], INSERT)?);
    Ok(rows)
}

fn tasks(pace: Pace) -> Result<Vec<Row>> {
    let site = Site::new()?;
    let (hot, any) = both(&site)?;
    let insert = site.insert(1)?;
    let admitted = Expected::Admitted;
    let contest = site.contest(
        "64 tasks",
        pace,
        &[
            Side::threads(INSERT, admitted, 1, |thread, laps| insert.fill(thread, laps)),
            Side::tasks(HOT_KEY, admitted, TASKS, |_| hot.one("hot")),
            Side::tasks(MANY_KEYS, admitted, TASKS, |number| any.any(&site.keys, number)),
        ],
    )?;
    let mut rows = vec![
        contest.row(HOT_KEY, INSERT, Measure::REQUESTS, Some(Target::AtLeast(4.0)))?,
        contest.row(MANY_KEYS, INSERT, Measure::REQUESTS, None)?,
    ];
    rows.extend(contest.latencies(&[HOT_KEY, MANY_KEYS], INSERT)?);
    Ok(rows)
}

/// For one key, and for many.
fn both(site: &Site) -> Result<(Asked, Asked)> {
    let open = |limit| Asked::open(&[limit], Algorithm::SlidingWindowLog, site.store.clone());
    Ok((open(NEVER_FULL[0])?, open(KEY_NEVER_FULL)?))
}
