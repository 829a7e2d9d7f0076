//! `cargo xtask`: every command that people and CI run in this repository.

mod bench;
mod budget;
mod ci;
mod command;
mod examples;
mod failure;
mod features;
mod licences;
mod model;
mod python;
mod sanitizer;
mod servers;
mod tally;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::Bench;
use crate::failure::Failure;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Every command that people and CI run in this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test of the workspace; the last line is `N passed, N failed`
    Test,
    /// Run the tests of the Python package alone
    Python,
    /// Measure Scupper beside its peers
    Bench(Bench),
    /// Run all that CI runs, within 40 minutes
    Ci,
    /// Check the licences, bans and sources of all dependencies
    Licences,
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let mut tally = None;
    let verdict = carry_out(&task, &mut tally);
    if let Err(failure) = &verdict {
        eprintln!("xtask: {failure}");
    }
    // CI reads the last line of the output, so the error goes before it.
    if let Some(tally) = tally {
        println!("{tally}");
    }
    if verdict.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn carry_out(task: &Task, tally: &mut Option<Tally>) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    match task {
        Task::Test => test::run(&workspace, tally.insert(Tally::default())),
        Task::Python => {
            let tally = tally.insert(Tally::default());
            let outcome = python::check(&workspace, tally);
            Failure::gather([outcome, tally.verdict()].into_iter().filter_map(Result::err).collect())
        }
        Task::Bench(bench) => bench.run(&workspace),
        Task::Ci => ci::run(&workspace, tally),
        Task::Licences => licences::check(&workspace),
    }
}
