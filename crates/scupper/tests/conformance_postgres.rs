//! The store in Postgres passes the suite for stores.
#![cfg(all(feature = "conformance", feature = "postgres"))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use scupper::PostgresStore;
use scupper::conformance::Opened;
use scupper_testbed::SharedPostgres;

/// A store with a schema of its own.
fn store() -> Opened {
    let shared = SharedPostgres::get();
    let schema = shared.schema();
    let store = PostgresStore::builder(shared.url()).schema(&schema).pool(3).connect_blocking().unwrap();
    let session = shared.session();
    let count = move || session.ask(&format!("SELECT count(*) FROM {schema}.bucket")).number();
    Opened::new(store).counting(move || usize::try_from(count()).unwrap())
}

scupper::conformance_tests!(store);
