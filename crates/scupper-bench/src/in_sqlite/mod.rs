//! The suite `sqlite`: what a decision in a file costs, beside the least that the same library can do to one.
//!
//! Both sides have files of their own in one folder, by the library that our store is built on, with the same settings.

mod alone;
mod crowded;
mod growth;
mod site;

use std::time::Duration;

use anyhow::Result;

use crate::contest::Pace;
use crate::harness::Plan;
use crate::limit::Limit;
use crate::row::Row;
use crate::run::Span;

const SUITE: &str = "sqlite";

/// Out of reach for anybody. Both windows are as full as the pace fills them, and lose on one end what they get on the other.
const NEVER_FULL: [Limit; 2] =
    [Limit::new(10_000_000, Duration::from_millis(50)), Limit::new(20_000_000, Duration::from_millis(100))];

/// The same for a key of many, which comes again before it would be forgotten.
const KEY_NEVER_FULL: Limit = Limit::new(10_000_000, Duration::from_millis(500));

const HOT_KEY: &str = "hot key";
const MANY_KEYS: &str = "1000 keys";

/// # Errors
///
/// If a side cannot be built, decides other than its case says, or lets its file grow beyond its bound.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let pace = pace(plan);
    let mut rows = alone::run(plan, pace)?;
    rows.extend(crowded::run(pace)?);
    rows.extend(growth::run(plan)?);
    Ok(rows)
}

/// The lead is longer than the windows of what never gets full, so that its logs are as long as they get to be, and long enough
/// for each of many keys to be made again: they leave while others have their turns.
fn pace(plan: &Plan) -> Pace {
    let (rounds, lead, length) = if plan.is_quick() { (3, 60, 60) } else { (15, 110, 200) };
    Pace { rounds, span: Span { lead: Duration::from_millis(lead), length: Duration::from_millis(length) } }
}
