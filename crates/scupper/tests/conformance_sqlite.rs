//! The store in a file passes the suite for stores.
#![cfg(all(feature = "conformance", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::sync::Mutex;

use scupper::SqliteStore;
use scupper::conformance::Opened;
use support::folder::Folder;

fn store() -> Opened {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.file("limits.db")).unwrap();
    let inside = rusqlite::Connection::open(store.path()).unwrap();
    let inside = Mutex::new(inside);
    let count = move || -> i64 {
        inside.lock().unwrap().query_row("SELECT count(*) FROM bucket", (), |row| row.get(0)).unwrap()
    };
    Opened::new(store).counting(move || usize::try_from(count()).unwrap()).guarded_by(folder)
}

scupper::conformance_tests!(store);
