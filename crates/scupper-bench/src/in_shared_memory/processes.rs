//! Two processes, beside two threads of one.

use std::ffi::OsString;
use std::io::{stdin, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;

use crate::harness::{Case, Plan};
use crate::in_shared_memory::{KEYS, OURS, PEER, SUITE, TARGET, counted, in_process, limits, shared, time};
use crate::keys::Keys;
use crate::limit::Outcome;
use crate::ours::{Algorithm, Keyed};
use crate::row::Row;
use crate::workers;

const PROCESSES: u32 = 2;
/// The word of the command line that [`Share`] belongs to.
const WORKER: &str = "shared-memory-worker";

pub(super) fn run(plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for outcome in [Outcome::Admit, Outcome::Deny] {
        for keys in [1, KEYS] {
            rows.extend(time(plan, |file| case(file, keys, outcome))?);
        }
    }
    Ok(rows)
}

fn case(file: &Path, keys: u32, outcome: Outcome) -> Result<Case> {
    let asked = |name, limits| Keyed {
        name,
        limits,
        algorithm: Algorithm::SlidingWindowLog,
        keys: Arc::new(Keys::new(keys, PROCESSES)),
        outcome,
    };
    let limits = &limits(keys, outcome)[..1];
    let peer = asked(PEER, limits).side(in_process())?;
    // Prepares the keys; what asks for them are the processes.
    asked(OURS, limits).side(shared(file)?)?;
    let share = |number| Share { file: file.to_owned(), keys, outcome, number };
    let ours = workers::side(OURS, outcome, PROCESSES, |number| share(number).words())?;
    let case = Case::new(SUITE, format!("{PROCESSES} processes, {}, log, {outcome}", counted(keys)), outcome, ours);
    let case = if keys == 1 { case.against(peer, TARGET) } else { case.beside(peer) };
    Ok(case.threads(PROCESSES))
}

/// What one of the processes has to do.
#[derive(Args, Debug)]
pub(crate) struct Share {
    file: PathBuf,
    keys: u32,
    outcome: Outcome,
    /// Which of the processes it is, from 0
    number: u32,
}

impl Share {
    /// The words of a command line that say the same.
    fn words(&self) -> Vec<OsString> {
        let outcome = self.outcome.to_string();
        let words = [WORKER.into(), self.file.clone().into(), self.keys.to_string().into(), outcome.into()];
        words.into_iter().chain([self.number.to_string().into()]).collect()
    }

    /// Makes the requests that its input asks for.
    ///
    /// # Errors
    ///
    /// If the store cannot be opened, or its input is not of the form.
    pub(crate) fn take(&self) -> Result<()> {
        let asked = Keyed {
            name: OURS,
            limits: &limits(self.keys, self.outcome)[..1],
            algorithm: Algorithm::SlidingWindowLog,
            keys: Arc::new(Keys::new(self.keys, PROCESSES)),
            outcome: self.outcome,
        };
        let side = asked.prepared_side(shared(&self.file)?)?;
        workers::serve(&side, usize::try_from(self.number)?, stdin().lock(), stdout().lock())
    }
}
