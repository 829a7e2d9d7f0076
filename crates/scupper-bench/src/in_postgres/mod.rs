//! The suite `postgres`: what a decision on a server costs, beside the least that the same client can ask of it, and beside what
//! the Python package pyrate-limiter does there.
//!
//! All sides have one server, which waits for its disk, a runtime with two workers, and pools of eight connections. On a machine
//! with few cores all of them share these, as they would for users.

mod alone;
mod crowded;
mod growth;
mod site;

use std::time::Duration;

use anyhow::Result;

use crate::contest::{Measure, Pace};
use crate::harness::Plan;
use crate::limit::Limit;
use crate::row::Row;
use crate::run::{Run, Span};

const SUITE: &str = "postgres";

/// Out of reach for anybody.
const NEVER_FULL: [Limit; 2] =
    [Limit::new(10_000_000, Duration::from_millis(50)), Limit::new(20_000_000, Duration::from_millis(100))];

const HOT_KEY: &str = "hot key";
const MANY_KEYS: &str = "1000 keys";

const CLIENT: Measure = Measure("the client's time", "us", |run| run.client_nanos() / 1e3);
const ADMITTED: Measure = Measure("of 100 that fit, admitted", "%", Run::admitted_percent);
const GRANTS: Measure = Measure("admitted", "k/s", |run| run.admitted_per_second() / 1e3);

/// # Errors
///
/// If a side cannot be built, or decides other than its case says.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let pace = pace(plan);
    let mut rows = alone::run(pace)?;
    rows.extend(crowded::run(pace)?);
    rows.extend(growth::run(plan)?);
    Ok(rows)
}

/// The lead is longer than the windows of what never gets full, so that its logs are as long as they get to be.
fn pace(plan: &Plan) -> Pace {
    let (rounds, lead, length) = if plan.is_quick() { (3, 20, 60) } else { (15, 110, 300) };
    Pace { rounds, span: Span { lead: Duration::from_millis(lead), length: Duration::from_millis(length) } }
}
