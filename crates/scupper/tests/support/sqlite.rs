//! A store in a file, and what is seen of the file past it.

use std::path::Path;

use rusqlite::Connection;
use scupper::store::{Action, Batch, Operation, Outcome, Reply, Store};
use scupper::{Algorithm, ErrorKind, Limiter, LimiterBuilder, Quota, Rates, SqliteStore};

pub(crate) fn limiting(rates: &str, store: &SqliteStore) -> LimiterBuilder {
    let rates: Rates = rates.parse().unwrap();
    Limiter::builder().rates(rates.iter().copied()).store(store.clone())
}

pub(crate) fn quota(rates: &str) -> Quota {
    Quota::new(Algorithm::default(), rates.parse::<Rates>().unwrap()).unwrap()
}

/// Has a store carry out one operation.
pub(crate) fn submit(store: &SqliteStore, operation: &Operation<'_>) -> Outcome {
    store.submit(Batch::from(operation)).wait().remove(0)
}

/// Units in use under the first of these rates.
#[track_caller]
pub(crate) fn used(store: &SqliteStore, key: &str, rates: &str) -> u64 {
    let quota = quota(rates);
    match submit(store, &Operation::new(key, Action::Peek { quota: &quota })).unwrap() {
        Reply::Peeked(snapshot) => snapshot.usage[0].used,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn admits(store: &SqliteStore, key: &str, rates: &str) {
    // The store's own timeout bounds it; where much else is to be done, a second is short.
    let limiter = limiting(rates, store).call_timeout(None).build().unwrap();
    let decision = limiter.try_acquire(key).unwrap();
    assert!(decision.is_admitted(), "{decision:?}");
}

/// That the file cannot be a store's, and what is said of it.
#[track_caller]
pub(crate) fn refused(path: impl AsRef<Path>, kind: ErrorKind, says: &str) {
    let error = SqliteStore::open(path).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(says), "{error}");
}

/// What `SQLite` says of the whole file.
#[track_caller]
pub(crate) fn is_sound(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let said: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
}

/// A number that a statement says.
pub(crate) fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}
