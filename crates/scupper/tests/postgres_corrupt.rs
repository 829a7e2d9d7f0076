//! A row that cannot be read is told of and left alone, until somebody does what the docs say.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::ErrorKind;
use support::postgres::{Bed, admits, patient, refused};

const DOCS: &str = include_str!("../../../docs/postgres.md");

/// What is said there to be run on a corrupt row, in the schema of the test.
fn remedy() -> String {
    let (_, behind) = DOCS.split_once("A row that is *corrupt*").unwrap();
    let (_, sql) = behind.split_once("```sql\n").unwrap();
    sql.split_once("```").unwrap().0.replace("scupper.", "{s}.")
}

#[test]
fn a_corrupt_row_is_left_alone_until_it_is_deleted_as_the_docs_say() {
    let bed = Bed::new();
    let limiter = patient("1000/h", bed.direct());
    for key in ["user:41", "user:42"] {
        for _ in 0..40 {
            admits(&limiter, key);
        }
    }
    bed.ask("UPDATE {s}.bucket SET head = '{}' WHERE key = 'user:42'");
    for _ in 0..3 {
        let error = refused(limiter.try_acquire("user:42"));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    assert_eq!((bed.rows("user:41"), bed.rows("user:42")), (1, 1));
    bed.ask(&remedy());
    assert_eq!((bed.rows("user:41"), bed.rows("user:42")), (1, 0));
    admits(&limiter, "user:42");
    let used = ["user:41", "user:42"].map(|key| limiter.peek(key).unwrap().usage[0].used);
    assert_eq!(used, [40, 1]);
    let strays = "SELECT count(*) FROM {s}.chunk WHERE bucket NOT IN (SELECT id FROM {s}.bucket)";
    assert_eq!(bed.ask(strays).number(), 0);
}
