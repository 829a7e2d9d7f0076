//! `cargo xtask test`: all tests of the repository, whatever they are written in.

use crate::command::Command;
use crate::failure::Failure;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{model, python, sanitizer, servers};

/// Runs one kind of test and adds to the tally. Where it needs something that the machine
/// lacks, it installs that or fails with the command that would; the servers are there already.
type Suite = fn(&Workspace, &mut Tally) -> Result<(), Failure>;

const SUITES: &[Suite] = &[rust, model::check, sanitizer::check, python::check];

/// Runs every suite, also after one has failed, so that one run shows all there is to repair.
pub(crate) fn run(workspace: &Workspace, tally: &mut Tally) -> Result<(), Failure> {
    let mut failures: Vec<Failure> = servers::ensure(workspace).err().into_iter().collect();
    failures.extend(SUITES.iter().filter_map(|suite| suite(workspace, tally).err()));
    failures.extend(tally.verdict().err());
    Failure::gather(failures)
}

/// Unit tests, integration tests, doctests; the examples are built too.
fn rust(workspace: &Workspace, tally: &mut Tally) -> Result<(), Failure> {
    Command::cargo(workspace)
        .args("test --workspace --all-features --no-fail-fast")
        // The lines are read as well as shown, so they must be plain.
        .args("-- --color never")
        .watch(|line| tally.read_cargo_line(line))
}
