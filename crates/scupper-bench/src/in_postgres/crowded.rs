//! Many tasks at once.

use std::sync::Arc;

use anyhow::Result;
use scupper::Durability;

use crate::contest::{Expected, Measure, Pace, Side};
use crate::in_postgres::site::Site;
use crate::in_postgres::{ADMITTED, GRANTS, HOT_KEY, MANY_KEYS, NEVER_FULL};
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::peers::select::NAME as SELECT;
use crate::peers::table_lock::{NAME as TABLE_LOCK, TableLock};
use crate::row::{Row, Target};

const TASKS: u64 = 64;
const FEW: u64 = 8;
const STRICT_HOT: &str = "strict, hot key";
const STRICT_MANY: &str = "strict, 1000 keys";
/// On one key it would be no other: a line of requests goes to the store as one, however few operations go together.
const ONE_MANY: &str = "1000 keys, 1 operation a call";

pub(super) fn run(pace: Pace) -> Result<Vec<Row>> {
    let site = Site::new()?;
    let select = site.select()?;
    let (relaxed, strict) = (site.open("relaxed", Durability::Relaxed)?, site.open("strict", Durability::Strict)?);
    let one = Arc::new(site.store("one", Durability::Relaxed).operations_a_call(1).connect_blocking()?);
    let one = Asked::open(&NEVER_FULL, Algorithm::SlidingWindowLog, one)?;
    let peer = TableLock::new(site.pool()?, NEVER_FULL);
    let both = |[hot, many]: [&'static str; 2], limiter: &Asked, tasks| {
        let (one, any) = (limiter.clone(), limiter.clone());
        let keys = Arc::clone(&site.keys);
        [
            Side::tasks(hot, Expected::Admitted, tasks, move |_| one.one("hot")),
            Side::tasks(many, Expected::Admitted, tasks, move |number| any.any(&keys, number)),
        ]
    };
    let mut sides = vec![Side::tasks(SELECT, Expected::Admitted, TASKS, |_| select.clone())];
    sides.extend(both([HOT_KEY, MANY_KEYS], &relaxed, TASKS));
    sides.extend(both([STRICT_HOT, STRICT_MANY], &strict, TASKS));
    let keys = Arc::clone(&site.keys);
    sides.push(Side::tasks(ONE_MANY, Expected::Admitted, TASKS, move |number| one.any(&keys, number)));
    sides.push(peer.side(TASKS));
    let many = site.contest("64 tasks", pace, &sides)?;
    let mut sides = vec![Side::tasks(SELECT, Expected::Admitted, FEW, |_| select.clone())];
    sides.extend(both([STRICT_HOT, STRICT_MANY], &strict, FEW));
    sides.push(peer.side(FEW));
    let few = site.contest("8 tasks", pace, &sides)?;

    let mut rows = Vec::new();
    for (side, least) in [(HOT_KEY, 2.0), (MANY_KEYS, 0.4)] {
        rows.push(many.row(side, SELECT, Measure::REQUESTS, Some(Target::AtLeast(least)))?);
    }
    for side in [STRICT_HOT, STRICT_MANY, ONE_MANY] {
        rows.push(many.row(side, SELECT, Measure::REQUESTS, None)?);
    }
    for contest in [&many, &few] {
        for side in [STRICT_HOT, STRICT_MANY] {
            rows.push(contest.row(side, TABLE_LOCK, GRANTS, None)?);
        }
        rows.push(contest.row(STRICT_HOT, TABLE_LOCK, ADMITTED, None)?);
    }
    rows.extend(many.latencies(&[HOT_KEY, MANY_KEYS, STRICT_HOT, STRICT_MANY], SELECT)?);
    Ok(rows)
}
