//! The suite `shared-memory`: what a decision in a mapping costs that other processes share, beside one in this process's memory.
//!
//! Both sides are asked by key, through the same limiter; only the store is another.

mod processes;
mod threads;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use scupper::MemoryStore;
use scupper::store::{self, Store};

use crate::folder::Folder;
use crate::harness::{Case, Plan};
use crate::limit::{Limit, Outcome};
use crate::row::Row;

pub(crate) use processes::Share;

const SUITE: &str = "shared-memory";
const OURS: &str = "SharedMemoryStore";
const PEER: &str = "MemoryStore";
const TARGET: f64 = 3.0;
/// How many keys are many.
const KEYS: u32 = 10_000;
/// Has room for all of them.
const SIZE: &str = "64MiB";
const WEEK: Duration = Duration::from_hours(7 * 24);

/// # Errors
///
/// If a side cannot be built, or decides other than its case says.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = threads::run(plan)?;
    rows.extend(processes::run(plan)?);
    Ok(rows)
}

/// The limits of a key that leave only this outcome, whoever shares it: out of reach with some hundred entries in the window of
/// one key and a dozen or more in those of many, or full for the length of any run.
fn limits(keys: u32, outcome: Outcome) -> [Limit; 3] {
    let micros = |requests, micros| Limit::new(requests, Duration::from_micros(micros));
    match (outcome, keys) {
        (Outcome::Admit, 1) => [micros(1_000, 2), micros(2_000, 8), micros(4_000, 20)],
        (Outcome::Admit, _) => [micros(100, 5_000), micros(200, 20_000), micros(300, 50_000)],
        (Outcome::Deny, 1) => weeks(100),
        (Outcome::Deny, _) => weeks(2),
    }
}

fn weeks(requests: u32) -> [Limit; 3] {
    [1, 2, 3].map(|times| Limit::new(requests + times - 1, WEEK.saturating_mul(1 << times)))
}

/// What to call that many.
fn counted(keys: u32) -> String {
    if keys == 1 { "one key".to_owned() } else { format!("{keys} keys") }
}

fn in_process() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn shared(file: &Path) -> Result<Arc<dyn Store>> {
    Ok(store::open(&url(file)?)?)
}

fn url(file: &Path) -> Result<String> {
    Ok(format!("shm:{}?size={SIZE}", file.to_str().context("the folder's name is no text")?))
}

/// Times a case that has a folder for as long as it takes.
fn time(plan: &Plan, case: impl FnOnce(&Path) -> Result<Case>) -> Result<Vec<Row>> {
    let folder = Folder::in_memory()?;
    case(&folder.file("buckets"))?.run(plan)
}
