//! One process, one thread.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use crate::harness::{Case, Plan};
use crate::in_shared_memory::{KEYS, OURS, PEER, SUITE, TARGET, counted, in_process, limits, shared, time};
use crate::keys::Keys;
use crate::limit::Outcome;
use crate::ours::{Algorithm, Keyed};
use crate::row::Row;

/// What a key is limited by: a name, an algorithm, and how many rates.
type Kind = (&'static str, Algorithm, usize);

const KINDS: [Kind; 3] = [
    ("log, 1 rate", Algorithm::SlidingWindowLog, 1),
    ("log, 3 rates", Algorithm::SlidingWindowLog, 3),
    ("gcra", Algorithm::Gcra, 1),
];

pub(super) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for outcome in [Outcome::Admit, Outcome::Deny] {
        for keys in [1, KEYS] {
            for kind in KINDS {
                rows.extend(time(plan, |file| case(file, kind, keys, outcome))?);
            }
        }
    }
    Ok(rows)
}

fn case(file: &Path, (name, algorithm, rates): Kind, keys: u32, outcome: Outcome) -> Result<Case> {
    let limits = limits(keys, outcome);
    let asked = Keyed { name: OURS, limits: &limits[..rates], algorithm, keys: Arc::new(Keys::new(keys, 1)), outcome };
    let peer = Keyed { name: PEER, ..asked.clone() }.side(in_process())?;
    let name = format!("{}, {name}, {outcome}", counted(keys));
    Ok(Case::new(SUITE, name, outcome, asked.side(shared(file)?)?).against(peer, TARGET))
}
