//! What the tables come to in which a hundred keys are asked for all the time.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use scupper::Durability;

use crate::caller::Caller;
use crate::harness::Plan;
use crate::in_postgres::site::Site;
use crate::in_postgres::{NEVER_FULL, SUITE};
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::row::{Row, Spread, Target};

const KEYS: usize = 100;
const TASKS: usize = 8;
/// What is dead, for each that is live.
const MOST_DEAD: f64 = 2.0;
const MEBIBYTE: f64 = 1_048_576.0;
/// All tables of the store, with their indexes, in MiB.
const MOST: f64 = 8.0;

pub(super) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let calls = if plan.is_quick() { 30_000 } else { 1_000_000 };
    let site = Site::new()?;
    // Each request is a call of its own, so that as many rows are written as can be.
    let store = site.store("growth", Durability::Relaxed).operations_a_call(1).connect_blocking()?;
    let asked = Asked::open(&NEVER_FULL, Algorithm::SlidingWindowLog, Arc::new(store))?;
    let keys: Arc<[String]> = site.keys[..KEYS].into();
    let decisions = (0..TASKS).map(|number| {
        let mut caller = asked.any(&keys, u64::try_from(number).unwrap_or_default());
        site.runtime.spawn(async move {
            for _ in 0..calls / TASKS {
                ensure!(caller.call().await?, "a request was denied that fits");
            }
            Ok(())
        })
    });
    let decisions: Vec<_> = decisions.collect();
    for decision in decisions {
        site.runtime.block_on(decision)??;
    }
    let mut rows = Vec::new();
    for table in ["bucket", "chunk"] {
        let tuples =
            site.numbers(&format!("SELECT tuple_count, dead_tuple_count FROM pgstattuple('growth.{table}')"))?;
        let [live, dead] = tuples[..] else { bail!("of {table}, there are figures {tuples:?}") };
        // Buckets are there as long as they are asked for; a log that is short has no chunk.
        ensure!(live > 0.0 || (table == "chunk" && dead == 0.0), "{table} has {live} rows and {dead} dead ones");
        if live > 0.0 {
            rows.push(row(
                format!("{calls} calls, {KEYS} keys, dead rows of {table}"),
                "rows",
                dead,
                ("live rows", live),
                MOST_DEAD,
            ));
        }
    }
    let bytes =
        site.numbers("SELECT pg_total_relation_size('growth.bucket') + pg_total_relation_size('growth.chunk')")?;
    let mebibytes = bytes.iter().sum::<f64>() / MEBIBYTE;
    rows.push(row(format!("{calls} calls, {KEYS} keys, tables and indexes"), "MiB", mebibytes, ("8 MiB", MOST), 1.0));
    Ok(rows)
}

fn row(case: String, unit: &'static str, ours: f64, (peer_name, peer): (&'static str, f64), most: f64) -> Row {
    Row {
        suite: SUITE,
        case,
        ours: Spread::exactly(ours),
        peer_name,
        peer: Spread::exactly(peer),
        unit,
        ratio: Spread::exactly(ours / peer),
        target: Some(Target::AtMost(most)),
    }
}
