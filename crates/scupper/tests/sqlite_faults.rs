//! Every write to the file of a store goes wrong, one after the other: what was told holds, and the store goes on. A library that
//! is put before a process of its own stands between `SQLite` and the system.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, iter, thread};

use rusqlite::Connection;
use scupper::store::{Action, Admission, Batch, Operation, Outcome, Reply, Store, Verdict};
use scupper::{Algorithm, Error, ErrorKind, Quota, SqliteStore};
use scupper_testbed::{FileFault, FileFaults, await_that};
use support::folder::Folder;
use support::sqlite::{is_sound, number};

const NAME: &str = "limits.db";
/// What a process is told by these: where the file is, and how many of the steps it does.
const FOLDER: &str = "SCUPPER_TEST_SQLITE_FAULTS";
const STEPS: &str = "SCUPPER_TEST_SQLITE_STEPS";

/// No test is so long that any of it leaves.
const LOG: &str = "1000/365d";
const GCRA: &str = "100/365d";

/// A log that is about to have its first chunk when the steps begin.
const LONG: &str = "long";
const BEFORE: u64 = 60;

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire(&'static str, u64),
    /// So many units of what was admitted last on the key.
    Refund(&'static str, u64),
    Reset(&'static str),
    /// The file is closed and opened once more.
    Reopen,
    /// What was written is put from the log of writes to where it belongs.
    Checkpoint,
}

use Step::{Acquire, Checkpoint, Refund, Reopen, Reset};

const ALL_STEPS: [Step; 26] = [
    Acquire("new", 1),
    Acquire("gcra", 3),
    Acquire(LONG, 1),
    Refund("gcra", 2),
    Acquire(LONG, 2),
    Acquire(LONG, 1),
    // With that, the log of writes is so long that it is put away.
    Acquire(LONG, 3),
    Acquire(LONG, 1),
    Refund(LONG, 1),
    Acquire(LONG, 1),
    Acquire(LONG, 2),
    Reopen,
    Acquire("another", 2),
    Reset("new"),
    Acquire("new", 1),
    Checkpoint,
    Acquire(LONG, 1),
    Refund("another", 1),
    Acquire("third", 1),
    Checkpoint,
    Acquire("gcra", 1),
    Reset(LONG),
    Acquire(LONG, 2),
    Acquire("gcra", 1),
    Acquire("fourth", 1),
    Acquire(LONG, 1),
];
/// So many of them in a file that is made first.
const FIRST_STEPS: usize = 3;

/// What became of a step, as a process writes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Done,
    NotDone,
    Unknown,
    /// There was nothing to do.
    Skipped,
}

impl Told {
    const ALL: [(Self, u8); 4] =
        [(Self::Done, b'd'), (Self::NotDone, b'n'), (Self::Unknown, b'u'), (Self::Skipped, b's')];

    fn letter(self) -> u8 {
        Self::ALL.into_iter().find(|(told, _)| *told == self).unwrap().1
    }

    fn of(letter: u8) -> Self {
        Self::ALL.into_iter().find(|(_, known)| *known == letter).unwrap().0
    }
}

fn quota(key: &str) -> Quota {
    let (algorithm, rates) = if key == "gcra" { (Algorithm::Gcra, GCRA) } else { (Algorithm::SlidingWindowLog, LOG) };
    Quota::new(algorithm, rates).unwrap()
}

fn submit(store: &SqliteStore, operation: &Operation<'_>) -> Outcome {
    store.submit(Batch::from(operation)).wait().remove(0)
}

/// The process in which writes go wrong. It panics at whatever it should not be told.
struct Victim {
    path: PathBuf,
    until: PathBuf,
    store: Option<SqliteStore>,
    admissions: BTreeMap<&'static str, Admission>,
    failures: usize,
}

impl Victim {
    /// So many failures, and then the disk is as it should be.
    const ENDURES: usize = 4;

    /// Whatever goes wrong is said, and is never a denial.
    fn fails(&mut self, error: &Error) -> Told {
        let is_full = env::var("SCUPPER_FAULT_KIND").unwrap() == "full";
        let says = if is_full { "full" } else { "disk I/O error" };
        assert!(error.message().contains(says), "{error}");
        self.failures += 1;
        let most = if env::var_os("SCUPPER_FAULT_UNTIL").is_some() { Self::ENDURES } else { 1 };
        assert!(self.failures <= most, "the disk is as it should be: {error}");
        if self.failures == Self::ENDURES {
            File::create(&self.until).unwrap();
        }
        match error.kind() {
            ErrorKind::Unavailable => Told::NotDone,
            ErrorKind::Unknown => Told::Unknown,
            _ => panic!("{error}"),
        }
    }

    fn store(&mut self) -> SqliteStore {
        loop {
            match self.store.take().map_or_else(|| SqliteStore::open(&self.path), Ok) {
                Ok(store) => return self.store.insert(store).clone(),
                Err(error) => assert_eq!(self.fails(&error), Told::NotDone, "{error}"),
            }
        }
    }

    fn does(&mut self, step: Step) -> Told {
        match step {
            Reopen => {
                self.store = None;
                Told::Skipped
            }
            Checkpoint => {
                // Whoever does it takes nothing by it; that it failed shows in nothing else.
                let connection = Connection::open(&self.path).unwrap();
                let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
                Told::Skipped
            }
            Acquire(key, weight) => {
                let quota = quota(key);
                match submit(&self.store(), &Operation::acquire(key, &quota, weight)) {
                    Ok(Reply::Acquired(Verdict::Admitted(admission))) => {
                        self.admissions.insert(key, admission);
                        Told::Done
                    }
                    Ok(other) => panic!("{key}: {other:?}"),
                    Err(error) => self.fails(&error),
                }
            }
            Refund(key, units) => {
                let Some(admission) = self.admissions.remove(key) else { return Told::Skipped };
                let admission = Admission { weight: units, ..admission };
                match submit(&self.store(), &Operation::new(key, Action::Refund(admission))) {
                    Ok(reply) => {
                        assert_eq!(reply, Reply::Refunded(units), "{key}");
                        Told::Done
                    }
                    Err(error) => self.fails(&error),
                }
            }
            Reset(key) => match submit(&self.store(), &Operation::new(key, Action::Reset)) {
                Ok(Reply::Reset(_)) => Told::Done,
                Ok(other) => panic!("{key}: {other:?}"),
                Err(error) => self.fails(&error),
            },
        }
    }
}

/// Does the steps, and writes down what it is told.
fn do_the_steps(folder: &Path) {
    let admissions = BTreeMap::new();
    let mut victim =
        Victim { path: folder.join(NAME), until: folder.join("until"), store: None, admissions, failures: 0 };
    let mut told = File::create(folder.join("told")).unwrap();
    let steps: usize = env::var(STEPS).unwrap().parse().unwrap();
    for step in &ALL_STEPS[..steps] {
        let letter = victim.does(*step).letter();
        told.write_all(&[letter]).unwrap();
    }
}

/// What may count on a key.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    least: u64,
    most: u64,
}

impl Counts {
    fn are_after(&mut self, step: Step, told: Told) {
        let (done, may_be_done) = (told == Told::Done, matches!(told, Told::Done | Told::Unknown));
        match step {
            Acquire(_, weight) => {
                self.least += if done { weight } else { 0 };
                self.most += if may_be_done { weight } else { 0 };
            }
            Refund(_, units) => {
                self.least = self.least.saturating_sub(if may_be_done { units } else { 0 });
                self.most -= if done { units } else { 0 };
            }
            Reset(_) => {
                self.least = if may_be_done { 0 } else { self.least };
                self.most = if done { 0 } else { self.most };
            }
            Reopen | Checkpoint => {}
        }
    }
}

/// Where all processes of a test begin, and the library that is put before them.
struct Bed {
    test: &'static str,
    faults: FileFaults,
    begin: Option<Folder>,
    steps: usize,
}

impl Bed {
    /// A file is there, with a log that is almost long, and so much was written to it that it is soon put away.
    fn with_a_file(test: &'static str) -> Self {
        const FRAME: u64 = 4_096 + 24;
        let (made, begin) = (Folder::new(), Folder::new());
        let path = made.file(NAME);
        let store = SqliteStore::open(&path).unwrap();
        let quota = quota(LONG);
        // Once it has looked into the file, it keeps it from being put in order when the store leaves.
        let other = Connection::open(&path).unwrap();
        other.execute_batch("PRAGMA wal_autocheckpoint = 0; SELECT count(*) FROM chunk").unwrap();
        await_that("the log is long", || {
            submit(&store, &Operation::acquire(LONG, &quota, 1)).unwrap();
            number(&path, "SELECT count(*) FROM chunk") == 0 && units_of(&store, LONG) == BEFORE
        });
        drop(store);
        let writes = made.file(&format!("{NAME}-wal"));
        while fs::metadata(&writes).unwrap().len() < 992 * FRAME {
            // What changes nothing is not written, but for this.
            other.execute_batch("PRAGMA user_version = 1").unwrap();
        }
        for suffix in ["", "-wal"] {
            let name = format!("{NAME}{suffix}");
            fs::copy(made.file(&name), begin.file(&name)).unwrap();
        }
        Self { test, faults: FileFaults::make(), begin: Some(begin), steps: ALL_STEPS.len() }
    }

    fn without_a_file(test: &'static str) -> Self {
        Self { test, faults: FileFaults::make(), begin: None, steps: FIRST_STEPS }
    }

    /// Has each write go wrong in each of these ways, until there are no more, of which there are at least so many.
    fn all_go_wrong(&self, faults: &[FileFault], lasts: bool, writes: usize) {
        // Most of the time they wait for the disk.
        thread::scope(|threads| {
            for fault in faults {
                threads.spawn(move || {
                    let count = self.count(*fault, lasts);
                    assert!(count >= writes, "{fault:?}: {count}");
                });
            }
        });
    }

    /// Has each write go wrong in a process of its own; says how many there are.
    fn count(&self, fault: FileFault, lasts: bool) -> usize {
        const MANY: usize = 1_000;
        let writes = (1..=MANY).take_while(|nth| self.goes_wrong(fault, *nth, lasts)).count();
        assert!(writes < MANY, "there are always more");
        writes
    }

    /// Whether there was such a write.
    fn goes_wrong(&self, fault: FileFault, nth: usize, lasts: bool) -> bool {
        let folder = Folder::new();
        for entry in self.begin.iter().flat_map(|begin| fs::read_dir(begin.path()).unwrap()) {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let mut process = Command::new(env::current_exe().unwrap());
        process.args(["--exact", self.test, "--nocapture"]).stdout(Stdio::null()).stderr(Stdio::piped());
        process.env(FOLDER, folder.path()).env(STEPS, self.steps.to_string());
        let met = folder.file("met");
        self.faults.put_before(&mut process, NAME, fault, nth, &met);
        if lasts {
            FileFaults::lasting(&mut process, &folder.file("until"));
        }
        let ended = process.output().unwrap();
        let is_met = met.exists();
        let what = format!("{fault:?} at write {nth}");
        // Who is to be killed may come to its end while another of its threads gets there.
        let is_killed = fault.kills() && is_met && ended.status.signal() == Some(9);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(is_killed || ended.status.success(), "{what}: {said}");
        self.holds(&folder, &what);
        is_met
    }

    /// What was told is what counts.
    fn holds(&self, folder: &Folder, what: &str) {
        let path = folder.file(NAME);
        let store = SqliteStore::open(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
        let told = fs::read(folder.file("told")).unwrap_or_default();
        // A process that was killed was at the next one, or had not written down yet how it went.
        let answers = told.iter().map(|letter| Told::of(*letter)).chain(iter::once(Told::Unknown));
        let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
        if self.begin.is_some() {
            counts.insert(LONG, Counts { least: BEFORE, most: BEFORE });
        }
        for (step, told) in ALL_STEPS[..self.steps].iter().zip(answers) {
            if let Acquire(key, _) | Refund(key, _) | Reset(key) = *step {
                counts.entry(key).or_default().are_after(*step, told);
            }
        }
        for (key, Counts { least, most }) in counts {
            let used = units_of(&store, key);
            assert!((least..=most).contains(&used), "{what}: {used} units of {key} count, of {least} to {most}");
        }
        let quota = quota(LONG);
        let next = submit(&store, &Operation::acquire(LONG, &quota, 1));
        assert!(matches!(next, Ok(Reply::Acquired(Verdict::Admitted(_)))), "{what}: {next:?}");
        is_sound(&path);
    }
}

/// The units of a key that count.
fn units_of(store: &SqliteStore, key: &str) -> u64 {
    match submit(store, &Operation::new(key, Action::Peek { quota: &quota(key) })).unwrap() {
        Reply::Peeked(snapshot) => snapshot.usage[0].used,
        other => panic!("{key}: {other:?}"),
    }
}

/// Whether this process is the one in which writes go wrong.
fn is_the_victim() -> bool {
    let folder = env::var_os(FOLDER);
    if let Some(folder) = &folder {
        do_the_steps(Path::new(folder));
    }
    folder.is_some()
}

const FAILURES: [FileFault; 5] =
    [FileFault::Failed, FileFault::FailedHalfway, FileFault::FailedAfter, FileFault::Full, FileFault::Short];

#[test]
fn promise_8_a_write_that_fails_is_an_error_that_says_so_and_what_was_told_holds() {
    const TEST: &str = "promise_8_a_write_that_fails_is_an_error_that_says_so_and_what_was_told_holds";
    if is_the_victim() {
        return;
    }
    let bed = Bed::with_a_file(TEST);
    bed.all_go_wrong(&FAILURES, false, 80);
}

#[test]
fn promise_1_whatever_write_a_process_is_killed_at_what_was_told_holds() {
    const TEST: &str = "promise_1_whatever_write_a_process_is_killed_at_what_was_told_holds";
    if is_the_victim() {
        return;
    }
    let bed = Bed::with_a_file(TEST);
    let deaths: Vec<_> = FileFault::ALL.into_iter().filter(|fault| fault.kills()).collect();
    bed.all_go_wrong(&deaths, false, 80);
}

#[test]
fn promise_8_a_disk_that_stays_full_or_broken_for_a_while_is_an_error_until_then_and_never_a_denial() {
    const TEST: &str =
        "promise_8_a_disk_that_stays_full_or_broken_for_a_while_is_an_error_until_then_and_never_a_denial";
    if is_the_victim() {
        return;
    }
    let bed = Bed::with_a_file(TEST);
    bed.all_go_wrong(&[FileFault::Full, FileFault::FailedAfter], true, 80);
}

#[test]
fn a_file_whose_making_fails_anywhere_is_made_whole_or_not_at_all() {
    const TEST: &str = "a_file_whose_making_fails_anywhere_is_made_whole_or_not_at_all";
    if is_the_victim() {
        return;
    }
    let bed = Bed::without_a_file(TEST);
    bed.all_go_wrong(&FileFault::ALL, false, 40);
}
