//! A file that is damaged, anywhere: an error, and never a panic or what nobody asked for.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use scupper::store::{Action, Batch, Operation, Outcome, Standing, Store};
use scupper::{Cursor, ErrorKind, SqliteStore};
use scupper_testbed::await_that;
use support::damage::{Dice, endures, is_admitted};
use support::folder::Folder;
use support::sqlite::{admits, is_sound, limiting, number, quota, submit, used};

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

#[test]
fn a_page_that_is_damaged_spoils_no_operation_that_does_not_need_it() {
    endures(|| {
        let folder = Folder::new();
        let path = folder.file("limits.db");
        let mut bytes = filled(&folder);
        let page = number(&path, "SELECT rootpage FROM sqlite_schema WHERE name = 'chunk'");
        let page = usize::try_from(page - 1).unwrap() * 4_096;
        bytes[page..page + 4_096].fill(0xff);
        fs::write(&path, &bytes).unwrap();
        let (store, quota) = (SqliteStore::open(&path).unwrap(), quota(RATES));
        for more in 1..=3 {
            let outcomes = store.submit(Batch::new(&[
                Operation::acquire("other", &quota, 1),
                Operation::new("long", Action::Peek { quota: &quota }),
                Operation::acquire("new", &quota, 1),
                Operation::acquire("new", &quota, 1),
            ]));
            let outcomes = outcomes.wait();
            assert!([0, 2, 3].iter().all(|place| is_admitted(&outcomes[*place])), "{outcomes:?}");
            assert_eq!(outcomes[1].as_ref().unwrap_err().kind(), ErrorKind::Corrupt, "{outcomes:?}");
            assert_eq!(used(&store, "other", RATES), 30 + more);
            assert_eq!(used(&store, "new", RATES), 2 * more);
        }
    });
}

/// Has all that was written until now put to where it belongs.
fn put_in_order(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
}

#[test]
fn a_file_that_is_cut_off_while_it_is_open_is_an_error() {
    endures(|| {
        let folder = Folder::new();
        filled(&folder);
        let path = folder.file("limits.db");
        let (store, quota) = (SqliteStore::open(&path).unwrap(), quota(RATES));
        submit(&store, &Operation::acquire("long", &quota, 1)).unwrap();
        put_in_order(&path);
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4_096).unwrap();
        // What is remembered of the file may do for a while.
        let mut failed = 0;
        for key in (0..50).map(|number| format!("new-{number}")) {
            if let Err(error) = submit(&store, &Operation::acquire(&key, &quota, 1)) {
                assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unavailable), "{key}: {error}");
                failed += 1;
            }
        }
        assert!(failed > 0);
    });
}

#[test]
fn what_is_damaged_in_the_log_of_writes_is_forgotten_and_what_was_before_it_counts() {
    endures(|| {
        let folder = Folder::new();
        filled(&folder);
        let (path, log) = (folder.file("limits.db"), folder.file("limits.db-wal"));
        let (store, quota) = (SqliteStore::open(&path).unwrap(), quota(RATES));
        put_in_order(&path);
        for _ in 0..10 {
            submit(&store, &Operation::acquire("other", &quota, 1)).unwrap();
        }
        let (bytes, writes) = (fs::read(path).unwrap(), fs::read(log).unwrap());
        let mut dice = Dice(3);
        for _ in 0..40 {
            let (mut damaged, at) = (writes.clone(), dice.below(writes.len()));
            damaged[at] ^= 1 + dice.byte() % 255;
            let folder = Folder::new();
            let path = folder.file("limits.db");
            fs::write(&path, &bytes).unwrap();
            fs::write(folder.file("limits.db-wal"), &damaged).unwrap();
            let counted = used(&SqliteStore::open(&path).unwrap(), "other", RATES);
            assert!((30..=40).contains(&counted), "byte {at}: {counted}");
            is_sound(&path);
            assert_eq!(ask_everything(&path), 0, "byte {at}");
        }
    });
}

#[test]
fn a_clock_that_is_missing_or_wrong_is_an_error_or_another_time() {
    endures(|| {
        let folder = Folder::new();
        let bytes = filled(&folder);
        let mut damages = vec![
            ("DELETE FROM clock".to_owned(), true),
            ("UPDATE clock SET numbers = x''".to_owned(), true),
            ("UPDATE clock SET numbers = substr(numbers, 2)".to_owned(), true),
            ("UPDATE clock SET numbers = zeroblob(40)".to_owned(), false),
            ("DROP TABLE clock".to_owned(), true),
        ];
        for number in 0..5 {
            for value in ["0000000000000000", "ffffffffffffffff", "ffffffffffffff7f", "0000000000000080"] {
                let rest = "0000000000000000".repeat(4 - number);
                let begin = "0000000000000000".repeat(number);
                damages.push((format!("UPDATE clock SET numbers = x'{begin}{value}{rest}'"), false));
                // The boot stays what it is.
                let kept = format!("substr(numbers, 1, {})", number * 8);
                let end = format!("substr(numbers, {})", number * 8 + 9);
                damages
                    .push((format!("UPDATE clock SET numbers = CAST({kept} || x'{value}' || {end} AS BLOB)"), false));
            }
        }
        for (damage, is_error) in damages {
            let folder = Folder::new();
            let (path, quota) = (folder.file("limits.db"), quota(RATES));
            fs::write(&path, &bytes).unwrap();
            Connection::open(&path).unwrap().execute_batch(&damage).unwrap();
            let store = SqliteStore::open(&path).unwrap();
            for action in [
                Action::Acquire { quota: &quota, weight: 1, standing: Standing::Alone },
                Action::Peek { quota: &quota },
                Action::Hold { quota: &quota, duration: Duration::from_secs(1) },
                Action::Reset,
                Action::List { after: None, most: 10 },
            ] {
                for key in ["long", "new"] {
                    match submit(&store, &Operation::new(key, action)) {
                        Ok(_) => assert!(!is_error, "{damage}, {action:?}"),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{damage}, {action:?}: {error}"),
                    }
                }
            }
        }
    });
}
