//! The store in a file passes the suite for stores.
#![cfg(all(feature = "conformance", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use scupper::SqliteStore;
use scupper::conformance::Opened;
use support::folder::Folder;

fn store() -> Opened {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.file("limits.db")).unwrap();
    Opened::new(store).guarded_by(folder)
}

scupper::conformance_tests!(store);
