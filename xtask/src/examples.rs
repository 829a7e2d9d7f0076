//! The examples: all are built and run.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::command::Command;
use crate::failure::Failure;
use crate::workspace::{Metadata, Workspace};

/// An example needs no server and ends by itself, so that CI can run it as a reader would.
const LIMIT: Duration = Duration::from_secs(30);

/// Builds every example of the workspace, and runs each.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let examples = examples(&workspace.metadata()?);
    let packages: BTreeSet<_> = examples.iter().map(|(package, _)| package).collect();
    for package in packages {
        // As they are run: all packages together share what their dependencies have switched on, and would be built again.
        Command::cargo(workspace).args("build --examples --all-features --package").arg(package).run()?;
    }
    for (package, example) in examples {
        Command::cargo(workspace)
            .args("run --quiet --all-features --package")
            .arg(package)
            .arg("--example")
            .arg(example)
            .run_within(LIMIT)?;
    }
    Ok(())
}

/// Every example with its package.
fn examples(metadata: &Metadata) -> Vec<(String, String)> {
    let targets =
        metadata.packages.iter().flat_map(|package| package.targets.iter().map(move |target| (package, target)));
    let examples = targets.filter(|(_, target)| target.kind.iter().any(|kind| kind == "example"));
    examples.map(|(package, target)| (package.name.clone(), target.name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_examples_are_found_and_nothing_else() {
        let metadata = Metadata::parse(
            r#"{
                "packages": [
                    {"name": "a", "features": {}, "targets": [{"name": "quickstart", "kind": ["bin"]}]},
                    {"name": "b", "features": {}, "targets": [
                        {"name": "quickstart", "kind": ["example"]}, {"name": "other", "kind": ["example"]}
                    ]}
                ],
                "target_directory": "/somewhere/target"
            }"#,
        )
        .unwrap();
        let expected = [("b", "quickstart"), ("b", "other")];
        assert_eq!(examples(&metadata), expected.map(|(package, example)| (package.to_owned(), example.to_owned())));
    }
}
