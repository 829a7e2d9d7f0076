//! Each feature of the library, built alone: none leans on another by accident.

use crate::command::Command;
use crate::failure::Failure;
use crate::workspace::{Package, Workspace};

const PACKAGE: &str = "scupper";

/// Builds the library with each of its features alone, with none, and with the default ones.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let metadata = workspace.metadata()?;
    for selection in selections(metadata.package(PACKAGE)?) {
        // `cargo check` itself has no way to turn the warnings of one package into errors.
        Command::cargo(workspace)
            .args("rustc --quiet --lib --profile check --package")
            .arg(PACKAGE)
            .args(&selection)
            .args("-- -D warnings")
            .run()?;
    }
    Ok(())
}

/// The arguments that choose each set of features to build.
fn selections(package: &Package) -> Vec<String> {
    let alone = package
        .features
        .keys()
        .filter(|feature| *feature != "default")
        .map(|feature| format!("--no-default-features --features {feature}"));
    [String::new(), "--no-default-features".to_owned()].into_iter().chain(alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Metadata;

    const METADATA: &str = r#"{
        "packages": [
            {"name": "other", "features": {"x": []}, "targets": []},
            {"name": "scupper", "version": "0.1.0", "targets": [],
             "features": {"default": ["redis"], "redis": ["dep:redis"], "serde": []}}
        ],
        "target_directory": "/somewhere/target",
        "version": 1
    }"#;

    #[test]
    fn every_feature_is_built_alone_beside_none_and_the_default_ones() {
        let metadata = Metadata::parse(METADATA).unwrap();
        assert_eq!(
            selections(metadata.package("scupper").unwrap()),
            [
                "",
                "--no-default-features",
                "--no-default-features --features redis",
                "--no-default-features --features serde",
            ]
        );
    }

    #[test]
    fn an_unknown_package_is_named_in_the_error() {
        let metadata = Metadata::parse(METADATA).unwrap();
        let error = metadata.package("scuper").unwrap_err();
        assert_eq!(error.to_string(), "The workspace has no package named scuper.");
    }

    #[test]
    fn metadata_that_is_not_json_is_an_error() {
        assert!(Metadata::parse("error: no such manifest").is_err());
    }
}
