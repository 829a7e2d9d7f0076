//! Where this repository is and what cargo knows of its packages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::command::Command;
use crate::failure::Failure;

/// The root of the repository that the tasks work on.
#[derive(Debug)]
pub(crate) struct Workspace(PathBuf);

/// What `cargo metadata` tells of the workspace, as far as the tasks need it.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
}

/// A library, program, example or test of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Workspace {
    /// The workspace that `cargo xtask` was called in.
    pub(crate) fn find() -> Result<Self, Failure> {
        // Read at run time: a binary from a shared target directory serves several clones.
        std::env::var_os("CARGO_MANIFEST_DIR")
            .and_then(|xtask| Path::new(&xtask).parent().map(Path::to_path_buf))
            .map(Self)
            .ok_or_else(|| Failure::new("Start this through `cargo xtask`, which says where the repository is."))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    pub(crate) fn metadata(&self) -> Result<Metadata, Failure> {
        let json = Command::cargo(self).args("metadata --no-deps --format-version 1").read()?;
        Metadata::parse(&json)
    }
}

impl Metadata {
    pub(crate) fn parse(json: &str) -> Result<Self, Failure> {
        serde_json::from_str(json)
            .map_err(|error| Failure::new(format!("What `cargo metadata` answered cannot be read: {error}.")))
    }

    pub(crate) fn package(&self, name: &str) -> Result<&Package, Failure> {
        self.packages
            .iter()
            .find(|package| package.name == name)
            .ok_or_else(|| Failure::new(format!("The workspace has no package named {name}.")))
    }
}
