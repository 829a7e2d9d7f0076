//! A file that cannot be written, wherever that happens: what was admitted counts, nothing else does but what was said to be
//! unknown, and the file stays sound.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::{env, fs, thread};

use scupper::{ErrorKind, SqliteStore};
use scupper_testbed::{WriteFault, WriteFaults};
use support::folder::Folder;
use support::sqlite::{admits, is_sound, limiting, used};

const FOLDER: &str = "SCUPPER_TEST_FAULTS_FOLDER";
const REQUESTS: &str = "SCUPPER_TEST_FAULTS_REQUESTS";
const NAME: &str = "promise_8_whichever_write_fails_what_was_admitted_counts_and_the_file_stays_sound";
const RATES: &str = "1000000/h";
const KEY: &str = "key";

/// Asks for so many permits, and writes down what was said to each: a letter, which is written at once.
fn ask(folder: &Path, requests: u32) {
    let mut report = File::create(folder.join("report")).unwrap();
    let mut said = |letter: &[u8]| report.write_all(letter).unwrap();
    let store = match SqliteStore::open(folder.join("limits.db")) {
        Ok(store) => store,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            return said(b"o");
        }
    };
    let limiter = limiting(RATES, &store).build().unwrap();
    for _ in 0..requests {
        match limiter.try_acquire(KEY) {
            Ok(decision) => {
                assert!(decision.is_admitted(), "{decision:?}");
                said(b"a");
            }
            Err(error) => match error.kind() {
                ErrorKind::Unavailable => said(b"n"),
                ErrorKind::Unknown => said(b"u"),
                kind => panic!("{kind}: {error}"),
            },
        }
    }
}

fn run(faults: &WriteFaults, folder: &Folder, requests: u32, nth: u32, fault: WriteFault) -> (ExitStatus, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture"]).env(FOLDER, folder.path()).env(REQUESTS, requests.to_string());
    faults.befall(&mut command, "limits.db", nth, fault);
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn check(faults: &WriteFaults, requests: u32, nth: u32, fault: WriteFault) {
    let folder = Folder::new();
    let (status, errors) = run(faults, &folder, requests, nth, fault);
    let was_killed = fault == WriteFault::Kill && status.signal() == Some(9);
    assert!(status.success() || was_killed, "{fault:?} at {nth}: {errors}");

    let report = fs::read_to_string(folder.file("report")).unwrap();
    let count = |letter| report.chars().filter(|it| *it == letter).count() as u64;
    let (admitted, unknown) = (count('a'), count('u') + u64::from(was_killed));
    let path = folder.file("limits.db");
    let store = SqliteStore::open(&path).unwrap();
    let counted = used(&store, KEY, RATES);
    let told = format!("{fault:?} at {nth}: {counted} counted, {admitted} admitted, {unknown} unknown");
    assert!((admitted..=admitted + unknown).contains(&counted), "{told}");
    admits(&store, KEY, RATES);
    is_sound(&path);
}

#[test]
fn promise_8_whichever_write_fails_what_was_admitted_counts_and_the_file_stays_sound() {
    if let (Some(folder), Ok(requests)) = (env::var_os(FOLDER), env::var(REQUESTS)) {
        return ask(Path::new(&folder), requests.parse().unwrap());
    }
    let folder = Folder::new();
    let faults = WriteFaults::build_in(folder.path());
    // Most of the time they wait for the disk.
    thread::scope(|threads| {
        for fault in WriteFault::ALL {
            let faults = &faults;
            threads.spawn(move || {
                // While the file is made and at the first requests, and when the log is written into the file.
                for nth in 1..=45 {
                    check(faults, 12, nth, fault);
                }
                for nth in (1_900..2_300).step_by(31) {
                    check(faults, 1_150, nth, fault);
                }
            });
        }
    });
}
