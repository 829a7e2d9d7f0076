//! What is written once for all remote stores is run for each of them.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The tests that are written in this file of shared ones: they are for any type.
fn shared(text: &str) -> BTreeSet<&str> {
    let functions = text.lines().filter_map(|line| line.strip_prefix("pub(crate) fn "));
    functions.filter_map(|line| line.split_once('<')).map(|(name, _)| name).collect()
}

#[test]
fn each_remote_store_runs_all_tests_that_are_shared() {
    for module in ["cancel", "cut", "processes", "runtimes"] {
        let text = read(&tests().join(format!("support/remote/{module}.rs")));
        let names = shared(&text);
        assert!(!names.is_empty(), "{module}");
        for store in ["postgres", "redis"] {
            let listed = read(&tests().join(format!("{store}_{module}.rs")));
            let listed: BTreeSet<&str> = listed.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
            let missing: Vec<_> = names.difference(&listed).collect();
            assert!(missing.is_empty(), "{store}_{module}.rs leaves out {missing:?}");
        }
    }
}
