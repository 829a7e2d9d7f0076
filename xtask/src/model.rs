//! The tests of the model checker: what threads do at the same moment, in many orders.

use crate::command::Command;
use crate::failure::Failure;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The scenarios of the limiter as a whole, then those of its parts.
const TESTS: &[&str] = &["--test model_* --", "--lib -- model::"];

/// Builds the library on the primitives of the model checker and runs the scenarios.
pub(crate) fn check(workspace: &Workspace, tally: &mut Tally) -> Result<(), Failure> {
    let target = workspace.metadata()?.target_directory.join("model");
    let run = |tests: &&str| {
        Command::cargo(workspace)
            .env("RUSTFLAGS", "--cfg scupper_shuttle -D warnings")
            // That it takes every ordering for the strictest is known: the sanitizer looks at those.
            .env("SHUTTLE_SILENCE_WARNINGS", "1")
            .args("test --package scupper --profile model --no-fail-fast --target-dir")
            .arg(&target)
            .args(tests)
            .args("--color never")
            .watch(|line| tally.read_cargo_line(line))
    };
    Failure::gather(TESTS.iter().map(run).filter_map(Result::err).collect())
}
