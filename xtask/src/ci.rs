//! `cargo xtask ci`: all that CI runs, in steps with a time budget each.

use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::budget::{Timing, Timings};
use crate::command::Command;
use crate::failure::Failure;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{examples, features, licences, test};

/// A part of CI. Only the step that runs tests touches the tally.
struct Step {
    name: &'static str,
    /// For a cold build on two cores.
    budget: Duration,
    run: fn(&Workspace, &mut Option<Tally>) -> Result<(), Failure>,
}

/// Cheap steps come first; the tests come last, because their count closes the output.
/// A unit test holds the sum of the budgets to the limit of the whole, 40 minutes.
const STEPS: &[Step] = &[
    step("format", 15, |workspace, _| format(workspace)),
    step("licences", 250, |workspace, _| licences::check(workspace)),
    step("clippy", 190, |workspace, _| clippy(workspace)),
    step("docs", 60, |workspace, _| docs(workspace)),
    step("features", 90, |workspace, _| features::check(workspace)),
    step("examples", 110, |workspace, _| examples::check(workspace)),
    step("bench", 330, |workspace, _| Bench::smoke(workspace)),
    step("test", 1350, |workspace, tally| test::run(workspace, tally.insert(Tally::default()))),
];

const fn step(
    name: &'static str,
    seconds: u64,
    run: fn(&Workspace, &mut Option<Tally>) -> Result<(), Failure>,
) -> Step {
    Step { name, budget: Duration::from_secs(seconds), run }
}

/// Runs the steps up to the first that fails, then shows how long each took.
pub(crate) fn run(workspace: &Workspace, tally: &mut Option<Tally>) -> Result<(), Failure> {
    let mut timings = Timings::default();
    let outcome = STEPS.iter().try_for_each(|step| {
        println!("\n== {} (budget {} s)", step.name, step.budget.as_secs());
        let start = Instant::now();
        let outcome = (step.run)(workspace, tally);
        timings.push(Timing { step: step.name, took: start.elapsed(), budget: step.budget });
        outcome.map_err(|failure| Failure::new(format!("The step {} failed.\n{failure}", step.name)))
    });
    println!("\n{timings}");
    Failure::gather([outcome, timings.verdict()].into_iter().filter_map(Result::err).collect())
}

fn format(workspace: &Workspace) -> Result<(), Failure> {
    Command::cargo(workspace).args("fmt --all -- --check").run()
}

fn clippy(workspace: &Workspace) -> Result<(), Failure> {
    Command::cargo(workspace).args("clippy --workspace --all-targets --all-features -- -D warnings").run()
}

fn docs(workspace: &Workspace) -> Result<(), Failure> {
    Command::cargo(workspace).args("doc --workspace --no-deps --all-features").env("RUSTDOCFLAGS", "-D warnings").run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::LIMIT;

    #[test]
    fn the_budgets_of_all_steps_fit_the_limit_of_the_whole() {
        assert!(STEPS.iter().map(|step| step.budget).sum::<Duration>() <= LIMIT);
    }

    #[test]
    fn the_tests_come_last() {
        assert_eq!(STEPS.last().unwrap().name, "test");
    }
}
