//! The examples: all are built, and the one that a newcomer starts with is run.

use crate::command::Command;
use crate::failure::Failure;
use crate::workspace::{Metadata, Workspace};

/// Needs no server and ends by itself, so CI can run it as a reader would.
const FIRST: &str = "quickstart";

/// Builds every example of the workspace, and runs `quickstart` of each package that has it.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    Command::cargo(workspace).args("build --workspace --examples --all-features").run()?;
    for package in packages_with_example(&workspace.metadata()?, FIRST) {
        Command::cargo(workspace)
            .args("run --quiet --all-features --package")
            .arg(package)
            .arg("--example")
            .arg(FIRST)
            .run()?;
    }
    Ok(())
}

fn packages_with_example(metadata: &Metadata, example: &str) -> Vec<String> {
    metadata
        .packages
        .iter()
        .filter(|package| {
            package
                .targets
                .iter()
                .any(|target| target.name == example && target.kind.iter().any(|kind| kind == "example"))
        })
        .map(|package| package.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_with_an_example_of_that_name_are_found() {
        let metadata = Metadata::parse(
            r#"{
                "packages": [
                    {"name": "a", "features": {}, "targets": [{"name": "quickstart", "kind": ["bin"]}]},
                    {"name": "b", "features": {}, "targets": [{"name": "quickstart", "kind": ["example"]}]},
                    {"name": "c", "features": {}, "targets": [{"name": "other", "kind": ["example"]}]}
                ],
                "target_directory": "/somewhere/target"
            }"#,
        )
        .unwrap();
        assert_eq!(packages_with_example(&metadata, "quickstart"), ["b"]);
    }
}
