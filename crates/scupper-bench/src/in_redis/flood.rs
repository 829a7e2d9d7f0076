//! Many who are denied most of the time.

use std::time::Duration;

use anyhow::Result;

use crate::contest::{Expected, Measure, Pace, Side};
use crate::in_redis::site::Site;
use crate::limit::Limit;
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::peers::ping::NAME as PING;
use crate::row::{Row, Target};
use crate::run::Run;

const TASKS: u64 = 256;
/// Full after a moment, and again after each interval.
const LIMIT: Limit = Limit::new(100, Duration::from_millis(100));
const TARGET: Option<Target> = Some(Target::AtLeast(1.0));
const CALLS: Measure = Measure("calls", "/s", Run::calls_per_second);

pub(super) fn run(pace: Pace) -> Result<Vec<Row>> {
    let site = Site::new()?;
    let ping = site.ping()?;
    let believing = Asked::open(&[LIMIT], Algorithm::SlidingWindowLog, site.open()?)?;
    let asking = Asked::open_without_cache(&[LIMIT], site.open()?)?;
    let windows = pace.span.length.as_nanos() / LIMIT.interval.as_nanos() + 2;
    let expected = Expected::AtMost(usize::try_from(windows)? * LIMIT.requests as usize);
    let (on, off) = ("full key, denial cache on", "full key, denial cache off");
    let contest = site.contest(
        "256 tasks",
        pace,
        &[
            Side::tasks(PING, Expected::Admitted, TASKS, |_| ping.clone()),
            Side::tasks(on, expected, TASKS, |_| believing.one("believing")),
            Side::tasks(off, expected, TASKS, |_| asking.one("asking")),
        ],
    )?;
    Ok(vec![
        contest.row(off, PING, Measure::REQUESTS, TARGET)?,
        contest.row(on, PING, Measure::REQUESTS, TARGET)?,
        contest.row(on, off, Measure::REQUESTS, None)?,
        contest.row(on, off, CALLS, None)?,
    ])
}
