//! A file that is damaged, anywhere: an error, and never a panic or what nobody asked for.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use scupper::store::{Action, Batch, Operation, Outcome, Store};
use scupper::{Cursor, ErrorKind, SqliteStore};
use scupper_testbed::await_that;
use support::folder::Folder;
use support::sqlite::{admits, limiting, quota, submit};

const RATES: &str = "500/h, 1000/d";

/// A file with a few buckets, one of them with a long log, and its bytes.
fn filled(folder: &Folder) -> Vec<u8> {
    let path = folder.file("limits.db");
    let store = SqliteStore::open(&path).unwrap();
    let limiter = limiting(RATES, &store).build().unwrap();
    for request in 0..300 {
        let key = if request % 10 == 0 { "other" } else { "long" };
        assert!(limiter.try_acquire(key).unwrap().is_admitted());
    }
    for key in 0..40 {
        admits(&store, &format!("key-{key}"), "2/h");
    }
    drop((limiter, store));
    await_that("it is closed", || !folder.file("limits.db-wal").exists());
    fs::read(&path).unwrap()
}

/// Everything that can be asked, of every key; whatever fails says why, in one of these ways.
fn ask_everything(path: &Path) -> usize {
    let store = match SqliteStore::open(path) {
        Ok(store) => store,
        Err(error) => {
            assert!(is_told(&error), "{error}");
            return 1;
        }
    };
    let (quota, other) = (quota(RATES), quota("7/h"));
    let keys: Vec<String> = (0..40).map(|key| format!("key-{key}")).chain(["long".into(), "other".into()]).collect();
    let mut failed = 0;
    let mut hear = |outcome: Outcome| {
        if let Err(error) = outcome {
            assert!(is_told(&error), "{error}");
            failed += 1;
        }
    };
    for key in &keys {
        hear(submit(&store, &Operation::acquire(key, &quota, 1)));
        hear(submit(&store, &Operation::acquire(key, &quota, 400)));
        hear(submit(&store, &Operation::new(key, Action::Peek { quota: &quota })));
        hear(submit(&store, &Operation::acquire(key, &other, 1)));
        hear(submit(&store, &Operation::new(key, Action::Penalize { quota: &quota, units: 3 })));
    }
    hear(submit(&store, &Operation::new("", Action::List { after: None, most: 100 })));
    let after = Cursor::new("key-3");
    hear(submit(&store, &Operation::new("key", Action::List { after: Some(&after), most: 3 })));
    for key in &keys {
        hear(submit(&store, &Operation::new(key, Action::Reset)));
    }
    failed
}

fn is_told(error: &scupper::Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidConfig | ErrorKind::Unavailable | ErrorKind::Unknown)
}

#[test]
fn bytes_that_are_flipped_anywhere_are_an_error_or_no_matter_and_never_a_panic() {
    let folder = Folder::new();
    let (bytes, path) = (filled(&folder), folder.file("limits.db"));
    let mut failed = 0;
    for round in 0..150_usize {
        let mut damaged = bytes.clone();
        for flip in 0..3 {
            // All over the file, and often where pages begin.
            let place = (round * 7_919 + flip * 104_729) % damaged.len();
            let place = if round % 3 == 0 { place / 4_096 * 4_096 + place % 24 } else { place };
            damaged[place] ^= 1 << (round % 8);
        }
        let path = folder.file(&format!("damaged-{round}.db"));
        fs::write(&path, damaged).unwrap();
        failed += usize::from(ask_everything(&path) > 0);
        let _ = fs::remove_file(&path);
    }
    assert!(failed > 10, "only {failed} of the files were seen to be damaged");
    assert_eq!(fs::read(&path).unwrap().len(), bytes.len());
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    let folder = Folder::new();
    let bytes = filled(&folder);
    for pages in 1..bytes.len() / 4_096 {
        for length in [pages * 4_096, pages * 4_096 - 1_000] {
            let path = folder.file(&format!("cut-{length}.db"));
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(ask_everything(&path) > 0, "{length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn a_row_that_is_no_bucket_is_an_error_of_its_key_alone() {
    for state in ["x''", "x'00'", "x'ffffffffffffffffffff01'", "x'01'", "zeroblob(100000)", "randomblob(200)"] {
        let folder = Folder::new();
        filled(&folder);
        let path = folder.file("limits.db");
        let sql = format!("UPDATE bucket SET state = {state} WHERE key = CAST('long' AS BLOB)");
        assert_eq!(Connection::open(&path).unwrap().execute(&sql, ()).unwrap(), 1);
        let (store, quota) = (SqliteStore::open(&path).unwrap(), quota(RATES));
        let operations = ["other", "long", "other"].map(|key| Operation::acquire(key, &quota, 1));
        let outcomes = store.submit(Batch::new(&operations)).wait();
        assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{state}: {outcomes:?}");
        assert_eq!(outcomes[1].as_ref().unwrap_err().kind(), ErrorKind::Corrupt, "{state}");
        let keys = limiting(RATES, &store).build().unwrap().list("lo", None, 10).unwrap().keys;
        assert_eq!(keys, ["long"], "somebody has to see it");
    }
}

#[test]
fn a_log_whose_chunks_are_missing_is_an_error() {
    let folder = Folder::new();
    filled(&folder);
    let path = folder.file("limits.db");
    assert!(Connection::open(&path).unwrap().execute("DELETE FROM chunk", ()).unwrap() > 0);
    let (store, quota) = (SqliteStore::open(&path).unwrap(), quota(RATES));
    let error = submit(&store, &Operation::acquire("long", &quota, 400)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let error = submit(&store, &Operation::new("long", Action::Peek { quota: &quota })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn a_file_without_its_time_is_an_error_of_each_request() {
    let folder = Folder::new();
    filled(&folder);
    let path = folder.file("limits.db");
    Connection::open(&path).unwrap().execute("DELETE FROM clock", ()).unwrap();
    let store = SqliteStore::open(&path)
        .map(|store| submit(&store, &Operation::acquire("long", &quota(RATES), 1)).unwrap_err());
    let error = store.unwrap_or_else(|error| error);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}
