//! Eight processes share one bucket in a file, and some of them are killed wherever they are: together they never have more than
//! the rates allow, the file stays sound, and nobody waits for the dead.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::{Read, Write, stdin};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use rusqlite::Connection;
use scupper::{ErrorKind, Rates, SqliteStore};
use scupper_testbed::{Ends, await_that};
use support::folder::Folder;
use support::process::Process;
use support::sqlite::{admits, is_sound, limiting, number, used};
use support::taken::{Record, never_over, records};
use support::{MILLISECOND, SECOND};

const RATES: &str = "200/100ms, 1500/s";
const PROCESSES: usize = 8;
const KILLS: usize = 400;
const THREADS: usize = 2;
const HEAVIEST: u64 = 3;
const KEY: &str = "shared";
const FOLDER: &str = "SCUPPER_TEST_SQLITE_FOLDER";
/// Within the folder, what each process writes down.
const TAKEN: &str = "taken";
const NAME: &str = "promise_1_processes_that_are_killed_anywhere_never_have_more_than_the_rates_allow";

/// Longer than whatever is asked takes on a machine that has much to do with so many processes.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much later than its timeout a call may return there.
const SLACK: Duration = Duration::from_secs(8);

/// Takes what it can get until its input ends, and writes it down. What it has and did not write down yet when it is killed
/// shows in the sequences of the others.
fn take_what_there_is(folder: &Path) {
    let is_over = AtomicBool::new(false);
    let store = SqliteStore::builder(folder.join("limits.db")).timeout(2 * PATIENCE).open().unwrap();
    let limiter = limiting(RATES, &store).call_timeout(None).build().unwrap();
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for thread in 0..THREADS {
            let (limiter, is_over) = (&limiter, &is_over);
            let path = folder.join(TAKEN).join(format!("{}-{thread}", process::id()));
            threads.spawn(move || {
                let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
                let mut weight = u64::from(process::id()) % HEAVIEST;
                while !is_over.load(Ordering::Relaxed) {
                    weight = weight % HEAVIEST + 1;
                    // Never a denial, nor an error: the file is there, and sound, and nobody waits for the dead.
                    let permit = limiter.request(KEY).weight(weight).timeout(PATIENCE).acquire().unwrap();
                    let record: Record = [permit.tick().as_micros(), permit.weight(), permit.sequence()];
                    file.write_all(&record.map(u64::to_be_bytes).concat()).unwrap();
                }
            });
        }
        let _ = stdin().read(&mut [0]);
    });
}

fn start(name: &str, folder: &Path) -> Process {
    Process::start(name, &[(FOLDER, folder.as_ref())])
}

#[test]
fn promise_1_processes_that_are_killed_anywhere_never_have_more_than_the_rates_allow() {
    if let Some(folder) = env::var_os(FOLDER) {
        return take_what_there_is(Path::new(&folder));
    }
    let folder = Folder::new();
    let (path, taken) = (folder.file("limits.db"), folder.file(TAKEN));
    fs::create_dir(&taken).unwrap();
    let mut processes: Vec<Process> = (0..PROCESSES).map(|_| start(NAME, folder.path())).collect();
    await_that("all have begun", || fs::read_dir(&taken).unwrap().count() == PROCESSES * THREADS);
    for kill in 0..KILLS {
        // Half of them live on. The instants are those of another clock than the processes'.
        let victim = &mut processes[kill % (PROCESSES / 2)];
        thread::sleep(Duration::from_micros(u64::try_from(kill).unwrap() * 7_919 % 15_000));
        victim.kill();
        *victim = start(NAME, folder.path());
    }
    processes.iter_mut().for_each(Process::end_input);
    processes.into_iter().for_each(Process::ends_well);
    let rates: Rates = RATES.parse().unwrap();
    let records = records(&taken);
    never_over(&records, &rates);
    assert!(
        records.windows(2).all(|pair| pair[0][2] + pair[1][1] <= pair[1][2]),
        "each unit is counted for one permit"
    );
    is_sound(&path);

    let store = SqliteStore::open(&path).unwrap();
    let limiter = limiting(RATES, &store).call_timeout(None).build().unwrap();
    let total = limiter.acquire(KEY).unwrap().sequence() - 1;
    let written: u64 = records.iter().map(|[_, weight, _]| weight).sum();
    // A killed process has had one call under way, for all of its threads.
    let most_lost = u64::try_from(KILLS * THREADS).unwrap() * HEAVIEST;
    assert!((written..=written + most_lost).contains(&total), "{total} taken, {written} written down");
}

/// Takes one permit of a bucket that has room for all, at the same time as others make the file.
#[test]
fn a_file_that_many_processes_make_at_once_is_made_once_however_many_are_killed_at_it() {
    const NAME: &str = "a_file_that_many_processes_make_at_once_is_made_once_however_many_are_killed_at_it";
    const ROOM: &str = "1000/h";
    if let Some(folder) = env::var_os(FOLDER) {
        let path = Path::new(&folder).join("limits.db");
        let store = SqliteStore::builder(path).timeout(Duration::from_secs(20)).open().unwrap();
        admits(&store, KEY, ROOM);
        return;
    }
    for round in 0..12_u64 {
        let folder = Folder::new();
        let mut processes: Vec<Process> = (0..PROCESSES).map(|_| start(NAME, folder.path())).collect();
        let path = folder.file("limits.db");
        for (place, mut process) in processes.drain(..PROCESSES / 2).enumerate() {
            thread::sleep(Duration::from_micros(round * 300 + u64::try_from(place).unwrap() * 500));
            process.kill();
        }
        processes.into_iter().for_each(Process::ends_well);
        let counted = used(&SqliteStore::open(&path).unwrap(), KEY, ROOM);
        assert!((4..=8).contains(&counted), "{counted}");
        is_sound(&path);
    }
}

#[test]
fn promise_2_a_file_that_another_has_is_waited_for_and_never_a_denial() {
    let folder = Folder::new();
    let path = folder.file("limits.db");
    let store = SqliteStore::builder(&path).timeout(20 * SECOND).open().unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let limiter = limiting("16/h", &store).call_timeout(None).build().unwrap();
    let begun = AtomicUsize::new(0);
    let one_more_begins = || begun.fetch_add(1, Ordering::Relaxed);
    thread::scope(|threads| {
        let ask = || {
            one_more_begins();
            limiter.try_acquire(KEY).map(|it| it.is_admitted())
        };
        let waiting: Vec<_> = (0..16).map(|_| threads.spawn(ask)).collect();
        let asynchronous = threads.spawn(|| {
            one_more_begins();
            pollster::block_on(limiter.try_acquire_async("another")).map(|it| it.is_admitted())
        });
        await_that("all have begun", || begun.load(Ordering::Relaxed) == 17);
        other.execute_batch("COMMIT").unwrap();
        assert!(waiting.into_iter().chain([asynchronous]).all(|it| it.join().unwrap().unwrap()));
    });
    assert_eq!(used(&store, KEY, "16/h"), 16);
}

#[test]
fn promise_8_a_file_that_another_keeps_is_unavailable_after_the_timeout_and_nothing_was_taken() {
    let folder = Folder::new();
    let path = folder.file("limits.db");
    let timeout = 200 * MILLISECOND;
    let store = SqliteStore::builder(&path).timeout(timeout).open().unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let limiter = limiting("5/h", &store).call_timeout(None).build().unwrap();
    for key in [KEY, "another", KEY] {
        let start = Instant::now();
        let error = limiter.try_acquire(key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("another process has the file"), "{error}");
        assert!(start.elapsed() >= timeout && start.elapsed() < timeout + SLACK, "{:?}", start.elapsed());
    }
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(used(&store, KEY, "5/h"), 0);
    assert!(limiter.try_acquire(KEY).unwrap().is_admitted());
    assert_eq!(number(&path, "SELECT count(*) FROM bucket"), 1);
}

#[test]
fn promise_8_with_nothing_set_a_file_that_another_keeps_is_unavailable_and_not_unknown() {
    let folder = Folder::new();
    let path = folder.file("limits.db");
    let store = SqliteStore::open(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let limiter = limiting("5/h", &store).build().unwrap();
    let blocking = || limiter.try_acquire(KEY).unwrap_err().kind();
    let asynchronous = || pollster::block_on(limiter.try_acquire_async(KEY)).unwrap_err().kind();
    for ask in [&blocking as &dyn Fn() -> ErrorKind, &asynchronous] {
        // A machine that stands still for half a second may let the limiter's time pass first, and hardly each time.
        assert!((0..5).any(|_| ask() == ErrorKind::Unavailable));
    }
    other.execute_batch("COMMIT").unwrap();
}

#[test]
fn promise_8_a_file_that_another_keeps_from_the_first_is_unavailable_after_the_timeout() {
    let folder = Folder::new();
    let path = folder.file("limits.db");
    drop(SqliteStore::open(&path).unwrap());
    await_that("it is closed", || !folder.file("limits.db-wal").exists());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE clock SET id = 1; COMMIT").unwrap();
    let error = SqliteStore::builder(&path).timeout(50 * MILLISECOND).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    drop(other);
    admits(&SqliteStore::open(&path).unwrap(), KEY, "1/h");
}
