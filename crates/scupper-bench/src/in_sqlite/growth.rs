//! What a file comes to in which each key is asked for once.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::harness::Plan;
use crate::in_sqlite::SUITE;
use crate::in_sqlite::site::Site;
use crate::limit::Limit;
use crate::ours::Algorithm;
use crate::ours::asked::Asked;
use crate::row::{Row, Spread, Target};

/// A key owes nothing any more by the time some thousands of others have come.
const LIMIT: Limit = Limit::new(10, Duration::from_millis(50));
const MEBIBYTE: f64 = 1_048_576.0;
/// The file with its log, in MiB.
const MOST: f64 = 16.0;
/// How many decisions are made between two looks at the file.
const A_LOOK: u32 = 100;

pub(super) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let site = Site::new()?;
    let decisions = if plan.is_quick() { 100_000 } else { 1_000_000 };
    let asked = Asked::open(&[LIMIT], Algorithm::SlidingWindowLog, site.store.clone())?;
    let mut peak = 0.0_f64;
    for nth in 1..=decisions {
        ensure!(asked.is_admitted(&format!("user:{nth}"))?, "the first request of a key was denied");
        if nth % A_LOOK == 0 || nth == decisions {
            peak = peak.max(mebibytes(&site)?);
        }
    }
    let end = mebibytes(&site)?;
    ensure!(peak <= MOST, "the file with its log came to {peak:.1} MiB, and may come to {MOST}");
    let row = |when, size| Row {
        suite: SUITE,
        case: format!("{decisions} decisions with a key each, file with its log, {when}"),
        ours: Spread::exactly(size),
        peer_name: "16 MiB",
        peer: Spread::exactly(MOST),
        unit: "MiB",
        ratio: Spread::exactly(size / MOST),
        target: Some(Target::AtMost(1.0)),
    };
    Ok(vec![row("peak", peak), row("end", end)])
}

#[expect(clippy::cast_precision_loss, reason = "a file has far fewer bytes than a double can count")]
fn mebibytes(site: &Site) -> Result<f64> {
    Ok(site.bytes()? as f64 / MEBIBYTE)
}
