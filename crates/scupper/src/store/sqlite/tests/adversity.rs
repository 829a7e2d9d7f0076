//! What goes wrong within the store itself.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use rusqlite::Connection;

use crate::error::{ErrorKind, Result};
use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Batch, Operation};
use crate::store::contract::Store;
use crate::store::host_clock::{Anchor, Boot, Host, TestHost};
use crate::store::outcome::Reply;
use crate::store::sqlite::form::{Newest, pack, unpack};
use crate::store::sqlite::schema::anchor_to_bytes;
use crate::store::sqlite::store::SqliteStore;
use crate::store::sqlite::tests::meddling::Meddling;
use crate::store::sqlite::tests::{Bed, await_that, submit};
use crate::store::submission::{Submission, SubmissionFuture};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock, thread};

const HOUR: u64 = 3_600_000_000;

/// A host whose clock panics when it is told to.
#[derive(Debug)]
struct Stumbling {
    host: TestHost,
    stumbles: AtomicBool,
}

impl Host for Stumbling {
    fn boot(&self) -> Result<Boot> {
        self.host.boot()
    }

    fn since_boot(&self) -> u64 {
        assert!(!self.stumbles.load(Ordering::Acquire), "on purpose");
        self.host.since_boot()
    }

    fn wall(&self) -> u64 {
        self.host.wall()
    }
}

fn hourly(limit: u64) -> Quota {
    Quota::new(Algorithm::default(), crate::rate::Rate::per_hour(limit).unwrap()).unwrap()
}

fn bed() -> Bed {
    Bed::new(TestHost::new(HOUR, 100 * HOUR))
}

#[test]
fn promise_8_a_panic_is_unknown_and_keeps_nobody_else_from_the_file() {
    let bed = bed();
    let host = Arc::new(Stumbling { host: TestHost::new(HOUR, 100 * HOUR), stumbles: AtomicBool::new(false) });
    let store = SqliteStore::builder(bed.folder.join("limits.db")).host(host.clone()).open().unwrap();
    let quota = hourly(2);
    let acquire = [Operation::acquire("key", &quota, 1)];
    assert!(submit(&store, &acquire)[0].is_ok());
    host.stumbles.store(true, Ordering::Release);
    let outcome = submit(&store, &acquire).remove(0);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unknown);
    host.stumbles.store(false, Ordering::Release);
    assert!(submit(&store, &acquire)[0].is_ok(), "the transaction that panicked has taken nothing");
    assert!(submit(&store, &[Operation::acquire("another", &quota, 1)])[0].is_ok());
}

#[test]
fn promise_2_who_comes_while_the_file_is_opened_once_more_is_served() {
    let (bed, quota) = (bed(), hourly(9));
    let (path, host) = (bed.folder.join("limits.db"), Arc::new(Meddling::on(TestHost::new(HOUR, 100 * HOUR))));
    let store = SqliteStore::builder(&path).host(host.clone()).open().unwrap();
    let came: Arc<Mutex<Option<SubmissionFuture>>> = Arc::default();
    let (other, kept) = (store.clone(), Arc::clone(&came));
    // While one opens the file, another thread asks, and finds that the connection is taken.
    let act = move || {
        let asked = thread::spawn(move || {
            let submission = other.submit(Batch::from(&Operation::acquire("key", &quota, 1)));
            assert!(matches!(submission, Submission::Pending(_)));
            submission.into_future()
        });
        *lock(&kept) = Some(asked.join().unwrap());
    };
    host.next(act);
    drop(SqliteStore::open(&path).unwrap());
    let mut came = lock(&came).take().unwrap();
    let polled = Pin::new(&mut came).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready(), "whoever has the connection sees to those who come");
}

#[test]
fn a_log_whose_totals_are_at_the_end_of_numbers_is_an_error_and_no_panic() {
    let bed = bed();
    let (store, quota) = (bed.open(), hourly(200));
    for _ in 0..3 {
        assert!(submit(&store, &[Operation::acquire("key", &quota, 1)])[0].is_ok());
        bed.host.pass(1);
    }
    let file = Connection::open(bed.folder.join("limits.db")).unwrap();
    let state: Vec<u8> = file.query_row("SELECT state FROM bucket", (), |row| row.get(0)).unwrap();
    let (head, newest) = unpack(&state).unwrap();
    let end = u64::MAX - 3;
    let moved = |(tick, total): &(u64, u64)| (*tick, total + end);
    let damaged = Newest { dropped: end, chunked: end, events: newest.events.iter().map(moved).collect() };
    file.execute("UPDATE bucket SET state = ?1", (pack(&head, &damaged),)).unwrap();
    for action in [Action::Penalize { quota: &quota, units: 100 }, Action::Reset, Action::Peek { quota: &quota }] {
        let outcome = submit(&store, &[Operation::new("key", action)]).remove(0);
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert!(submit(&store, &[Operation::acquire("another", &quota, 1)])[0].is_ok());
}

#[test]
fn a_time_that_cannot_be_is_an_error_and_lets_no_bucket_go() {
    let bed = bed();
    let quota = hourly(1);
    assert!(submit(&bed.open(), &[Operation::acquire("key", &quota, 1)])[0].is_ok());
    let mut numbers = Anchor::first(&*bed.host).unwrap().to_numbers();
    numbers[2] = (1 << 63) + HOUR;
    let file = Connection::open(bed.folder.join("limits.db")).unwrap();
    let anchor = anchor_to_bytes(Anchor::from_numbers(numbers));
    file.execute("UPDATE clock SET numbers = ?1", (&anchor[..],)).unwrap();
    let store = bed.open();
    let outcome = submit(&store, &[Operation::acquire("key", &quota, 1)]).remove(0);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt);
    let rows: i64 = file.query_row("SELECT count(*) FROM bucket", (), |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
}

#[test]
fn a_store_waits_for_less_than_a_limiter_allows_for_a_call() {
    assert!(SqliteStore::DEFAULT_TIMEOUT <= Duration::from_millis(500));
}

#[test]
fn promise_7_a_panic_while_idle_rows_are_looked_for_keeps_nobody_from_the_file_and_they_leave_later() {
    let (bed, quota) = (bed(), Quota::new(Algorithm::default(), "1/s").unwrap());
    let host = Arc::new(Meddling::on(TestHost::new(HOUR, 100 * HOUR)));
    let path = bed.folder.join("limits.db");
    let store = SqliteStore::builder(&path).host(host.clone()).open().unwrap();
    assert!(submit(&store, &[Operation::acquire("idle", &quota, 1)])[0].is_ok());
    // The next to read the clock is the thread that looks for idle rows.
    host.next(|| panic!("on purpose"));
    await_that("it has panicked", || !host.is_about_to_meddle());
    assert!(submit(&store, &[Operation::acquire("another", &quota, 1)])[0].is_ok());
    host.host.pass(HOUR);
    let file = Connection::open(&path).unwrap();
    let rows = || file.query_row("SELECT count(*) FROM bucket", (), |row| row.get::<_, i64>(0)).unwrap();
    await_that("idle rows have left", || rows() == 0);
}

#[test]
fn a_row_that_is_damaged_is_listed_and_keeps_no_other_from_it() {
    let bed = bed();
    let (store, quota) = (bed.open(), hourly(9));
    let charge = |key| {
        assert!(submit(&store, &[Operation::acquire(key, &quota, 2)])[0].is_ok());
        bed.host.pass(1);
    };
    ["after-it", "damaged", "before-it"].into_iter().for_each(charge);
    // Its floor is above nothing then.
    assert!(submit(&store, &[Operation::new("damaged", Action::Reset)])[0].is_ok());
    charge("damaged");
    let file = Connection::open(bed.folder.join("limits.db")).unwrap();
    for damage in ["x'ff'", "x'8080'"] {
        let sql =
            format!("UPDATE bucket SET state = CAST(state || {damage} AS BLOB) WHERE key = CAST('damaged' AS BLOB)");
        assert_eq!(file.execute(&sql, ()).unwrap(), 1);
        let outcome = submit(&store, &[Operation::new("damaged", Action::Peek { quota: &quota })]).remove(0);
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt);
        match submit(&store, &[Operation::new("", Action::List { after: None, most: 9 })]).remove(0) {
            Ok(Reply::Listed(page)) => assert_eq!(page.keys, ["after-it", "before-it", "damaged"]),
            other => panic!("{other:?}"),
        }
    }
}
