//! Another process has the file.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{env, fs, process};

use rusqlite::Connection;

use crate::error::ErrorKind;
use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::batch::{Batch, Operation};
use crate::store::contract::Store;
use crate::store::host_clock::TestHost;
use crate::store::outcome::Outcome;
use crate::store::sqlite::queue::Queue;
use crate::store::sqlite::store::SqliteStore;
use crate::store::sqlite::tests::meddling::Meddling;
use crate::store::sqlite::tests::{Bed, submit};
use crate::store::submission::Submission;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock, thread};

const HOUR: u64 = 3_600_000_000;
const PATIENCE: Duration = Duration::from_secs(20);

fn hourly(limit: u64) -> Quota {
    Quota::new(Algorithm::default(), Rate::per_hour(limit).unwrap()).unwrap()
}

fn bed() -> Bed {
    Bed::new(TestHost::new(HOUR, 100 * HOUR))
}

/// Has the file until it is dropped, as another process would.
fn another(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

/// Has the file as soon as it can, from a thread of its own, and until told otherwise; says how many rows there were then.
fn comes_in_between(
    path: &Path,
    gives_up: &Arc<AtomicBool>,
    rows: impl Fn(i64) + Send + 'static,
) -> thread::JoinHandle<()> {
    let (connection, gives_up) = (Connection::open(path).unwrap(), Arc::clone(gives_up));
    connection.busy_timeout(Duration::ZERO).unwrap();
    thread::spawn(move || {
        while !gives_up.load(Ordering::Acquire) {
            if connection.execute_batch("BEGIN IMMEDIATE").is_ok() {
                rows(connection.query_row("SELECT count(*) FROM bucket", (), |row| row.get(0)).unwrap());
                // Long enough for whoever comes now to find it taken.
                while !gives_up.load(Ordering::Acquire) {
                    thread::yield_now();
                }
            }
        }
    })
}

#[test]
fn promise_2_what_is_done_run_by_run_waits_for_a_process_that_comes_in_between() {
    const KEYS: i64 = 200;
    let quota = hourly(9);
    for _ in 0..50 {
        let bed = bed();
        let path = bed.folder.join("limits.db");
        let host = Arc::new(Meddling::on(TestHost::new(HOUR, 100 * HOUR)));
        let store = SqliteStore::builder(&path).host(host.clone()).timeout(PATIENCE).open().unwrap();
        assert!(submit(&store, &[Operation::acquire("wrong", &quota, 1)])[0].is_ok());
        // One row that spoils a transaction, so that each run has one of its own.
        let refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON bucket BEGIN SELECT RAISE(ABORT, 'on purpose'); END";
        Connection::open(&path).unwrap().execute_batch(refuse).unwrap();
        let keys: Vec<_> = (1..KEYS).map(|key| format!("key-{key}")).collect();
        let mut operations = vec![Operation::acquire("wrong", &quota, 1)];
        operations.extend(keys.iter().map(|key| Operation::acquire(key, &quota, 1)));
        let gives_up = Arc::new(AtomicBool::new(false));
        let (say, said) = channel();
        let between = comes_in_between(&path, &gives_up, move |rows| say.send(rows).unwrap());
        let submission = store.submit(Batch::new(&operations));
        gives_up.store(true, Ordering::Release);
        between.join().unwrap();
        let outcomes = submission.wait();
        assert_eq!(outcomes.len(), operations.len());
        let mut failed = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(failed.next().is_some_and(|error| error.message().contains("on purpose")), "{outcomes:?}");
        assert!(failed.next().is_none(), "{outcomes:?}");
        let rows: i64 =
            Connection::open(&path).unwrap().query_row("SELECT count(*) FROM bucket", (), |row| row.get(0)).unwrap();
        assert_eq!(rows, KEYS, "each is done once");
        if said.try_iter().any(|rows| (2..KEYS).contains(&rows)) {
            return;
        }
    }
    panic!("no other process has ever come in between");
}

#[test]
fn promise_2_a_full_queue_is_an_error_of_its_own() {
    let bed = bed();
    let path = bed.folder.join("limits.db");
    let (store, quota) = (SqliteStore::builder(&path).timeout(PATIENCE * 10).open().unwrap(), hourly(1_000_000));
    let other = another(&path);
    let acquire = Operation::acquire("key", &quota, 1);
    let ask = || store.submit(Batch::from(&acquire));
    let waiting: Vec<_> = (0..Queue::MOST).map(|_| ask()).collect();
    assert!(waiting.iter().all(|submission| matches!(submission, Submission::Pending(_))));
    // The thread that waits for the other process takes some out of the queue, and puts them back.
    let refused = (0..1_000).find_map(|_| match ask() {
        Submission::Ready(mut outcomes) => outcomes.remove(0).err(),
        Submission::Pending(_) => None,
    });
    let refused = refused.unwrap();
    assert_eq!(refused.kind(), ErrorKind::Capacity);
    assert!(refused.message().contains("65536 requests wait"), "{refused}");
    drop(other);
    let outcome = waiting.into_iter().next_back().unwrap().wait().remove(0);
    assert!(outcome.is_ok(), "{outcome:?}");
}

const FOLDER: &str = "SCUPPER_TEST_FOLDER_WITHOUT_THREADS";
const NAME: &str = "store::sqlite::tests::blocked::where_the_system_gives_no_thread_nobody_is_left_waiting";

/// Less than the stack of a thread, and more than all else that is needed.
const LEFT: u64 = 3 << 19;

/// Has the system give this process no thread more.
fn without_threads() {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    let left = format!("--as={}", pages * 4096 + LEFT);
    let limited = Command::new("prlimit").args(["--pid", &process::id().to_string(), &left]).status().unwrap();
    assert!(limited.success());
    assert!(thread::Builder::new().spawn(|| ()).is_err(), "the system gives threads still");
}

fn is_refused(outcome: Outcome, says: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains(says), "{error}");
}

fn ask_without_threads(folder: &Path) {
    let path = folder.join("limits.db");
    let (host, quota) = (Arc::new(Meddling::on(TestHost::new(HOUR, 100 * HOUR))), hourly(9));
    let (ask, asked) = channel::<SqliteStore>();
    let (say, said) = channel();
    let other_quota = quota.clone();
    let (greet, has_begun) = channel();
    let other_thread = thread::spawn(move || {
        // With memory of its own already.
        greet.send(vec![0_u8; 64]).unwrap();
        for store in asked {
            say.send(store.submit(Batch::from(&Operation::acquire("key", &other_quota, 1)))).unwrap();
        }
    });
    has_begun.recv().unwrap();
    let connection = Connection::open(&path).unwrap();
    without_threads();
    let store = SqliteStore::builder(&path).host(host.clone()).open().unwrap();
    let acquire = [Operation::acquire("key", &quota, 1)];
    assert!(submit(&store, &acquire)[0].is_ok(), "nobody has the file");
    host.host.pass(HOUR / 60);
    // Once this one has the connection, another thread asks, and another process takes the file.
    let (other, kept) = (store.clone(), Arc::new(Mutex::new(None)));
    let pending = Arc::clone(&kept);
    let (unlock, unlocked) = channel();
    host.next(move || {
        ask.send(other).unwrap();
        *lock(&pending) = Some(said.recv().unwrap());
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        unlock.send(connection).unwrap();
    });
    is_refused(submit(&store, &acquire).remove(0), "another process has the file");
    assert!(!host.is_about_to_meddle());
    let waits = lock(&kept).take().unwrap();
    assert!(matches!(waits, Submission::Pending(_)));
    is_refused(waits.wait().remove(0), "the system gives no thread to wait for it");
    unlocked.recv().unwrap().execute_batch("ROLLBACK").unwrap();
    assert!(submit(&store, &acquire)[0].is_ok(), "nobody has the file any more");
    other_thread.join().unwrap();
}

#[test]
fn where_the_system_gives_no_thread_nobody_is_left_waiting() {
    if let Some(folder) = env::var_os(FOLDER) {
        return ask_without_threads(Path::new(&folder));
    }
    let bed = bed();
    drop(bed.open());
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", NAME, "--nocapture"]).env(FOLDER, &bed.folder).env_remove("RUST_MIN_STACK");
    let child = child.output().unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&child.stderr));
}
