//! The suite `redis`: what a decision on a server costs, beside the least that the same client can ask of it.
//!
//! Both sides have one server, a runtime with two workers, and one connection. On a machine with few cores all of them share
//! these, as they would for users. Where processors fall asleep between requests, waking them takes longer than all else
//! does for one caller; so that case is shown once more with everything on one processor, which is then never asleep.

mod alone;
mod crowded;
mod flood;
mod site;
mod sizes;

use std::time::Duration;

use anyhow::Result;

use crate::contest::{Measure, Pace};
use crate::harness::Plan;
use crate::limit::Limit;
use crate::row::Row;
use crate::run::{Run, Span};

const SUITE: &str = "redis";

/// Out of reach for anybody. At ten thousand calls a second, there are a thousand entries in the longer window.
const NEVER_FULL: [Limit; 2] =
    [Limit::new(10_000_000, Duration::from_millis(50)), Limit::new(20_000_000, Duration::from_millis(100))];

const HOT_KEY: &str = "hot key";
const MANY_KEYS: &str = "1000 keys";

const SERVER: Measure = Measure("the server's time", "ns", Run::server_nanos);
const CLIENT: Measure = Measure("the client's time", "ns", Run::client_nanos);
const COMMANDS: Measure = Measure("in the script", "ns", Run::command_nanos);

/// # Errors
///
/// If a side cannot be built, or decides other than its case says.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let pace = pace(plan);
    let mut rows = alone::run(pace)?;
    rows.extend(crowded::run(pace)?);
    rows.extend(flood::run(pace)?);
    rows.extend(sizes::run()?);
    Ok(rows)
}

/// The lead is longer than the windows of what never gets full, so that its logs are as long as they get to be.
fn pace(plan: &Plan) -> Pace {
    let (rounds, lead, length) = if plan.is_quick() { (3, 5, 20) } else { (15, 110, 200) };
    Pace { rounds, span: Span { lead: Duration::from_millis(lead), length: Duration::from_millis(length) } }
}
