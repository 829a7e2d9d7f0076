//! A file is put in place when it is complete, and never in the place of another.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::{process, thread};

use rustix::fs::Mode;
use rustix::process::umask;
use scupper_shm::{OpenErrorKind, Shared};
use support::{Folder, Worker, await_that, create, get, lock, open, refused, role, set};

const WORDS: usize = 10_000;

#[test]
fn a_file_has_all_its_blocks_and_no_name_is_left_beside_it() {
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, WORDS);
    let about = fs::metadata(&path).unwrap();
    assert!(about.blocks() * 512 >= (WORDS * 8) as u64, "{} blocks of 512 bytes", about.blocks());
    assert_eq!(about.len() % 4096, 0);
    assert!(shared.words().iter().all(|word| word.load(Ordering::Relaxed) == 0));
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn a_file_without_words_is_one_to_lock() {
    let folder = Folder::new();
    let shared = create(&folder.join("file"), 0);
    drop(lock(&shared));
    assert!(open(&folder.join("file")).words().is_empty());
}

#[test]
fn what_is_there_is_never_replaced() {
    let folder = Folder::new();
    let path = folder.join("file");
    for content in ["", "somebody's"] {
        fs::write(&path, content).unwrap();
        let error = Shared::create(&path, 1, 0o600, |_| ()).unwrap_err();
        assert_eq!(refused(&error, &path), OpenErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn permissions_are_what_was_asked_for_whatever_the_mask() {
    let folder = Folder::new();
    let before = umask(Mode::from_raw_mode(0o077));
    for mode in [0o600, 0o640, 0o660, 0o666] {
        let path = folder.join(&format!("{mode:o}"));
        Shared::create(&path, 1, mode, |_| ()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
    }
    umask(before);
}

#[test]
fn permissions_and_lengths_that_cannot_be_are_refused() {
    let folder = Folder::new();
    let path = folder.join("file");
    for (words, mode) in [(1, 0o060), (1, 0o400), (1, 0o1600), (1, u32::MAX), (1 << 37, 0o600), (usize::MAX, 0o600)] {
        let error = Shared::create(&path, words, mode, |_| ()).unwrap_err();
        assert_eq!(refused(&error, &path), OpenErrorKind::Invalid, "{words} words, {mode:o}");
    }
    assert!(folder.names().is_empty());
}

#[test]
fn a_full_disk_shows_when_the_file_is_made() {
    // Longer than any memory, and refused before a block is taken.
    let words = (1 << 37) - 512;
    let folder = Folder::within(Path::new("/dev/shm"));
    for folder in [folder, Folder::new()] {
        let path = folder.join("file");
        let error = Shared::create(&path, words, 0o600, |_| ()).unwrap_err();
        assert_eq!(refused(&error, &path), OpenErrorKind::NoSpace);
        assert!(folder.names().is_empty());
    }
}

#[test]
fn nothing_is_left_of_a_file_whose_making_fails() {
    let folder = Folder::new();
    let path = folder.join("file");
    catch_unwind(|| Shared::create(&path, 1, 0o600, |_| panic!("on purpose")).map(drop)).unwrap_err();
    assert!(folder.names().is_empty());
    create(&path, 1);
}

#[test]
fn of_threads_that_make_it_at_once_one_does() {
    let folder = Folder::new();
    let barrier = Barrier::new(8);
    for round in 0..50 {
        let path = folder.join(&format!("{round}"));
        let is_made = || {
            barrier.wait();
            Shared::create(&path, 1, 0o600, |words| words[0].store(1, Ordering::Relaxed)).is_ok()
        };
        let made = thread::scope(|threads| {
            let makers: Vec<_> = (0..8).map(|_| threads.spawn(is_made)).collect();
            makers.into_iter().map(|maker| u64::from(maker.join().unwrap())).sum::<u64>()
        });
        assert_eq!((made, get(&open(&path), 0)), (1, 1));
    }
}

#[test]
fn nobody_ever_sees_a_file_half_made_and_makers_may_die() {
    if let Some((_, tally)) = role() {
        return make_or_open(&tally);
    }
    let folder = Folder::new();
    let tally = folder.join("tally");
    let counted = create(&tally, 4);
    let name = "nobody_ever_sees_a_file_half_made_and_makers_may_die";
    let mut workers: Vec<Worker> = (0..4).map(|_| Worker::start(name, "make", &tally)).collect();
    let mut deaths = 0;
    await_that("files are made while makers die", || get(&counted, MADE) > 50);
    while deaths < 40 || get(&counted, MADE) < 200 {
        let worker = &mut workers[deaths % 3];
        worker.kill();
        *worker = Worker::start(name, "make", &tally);
        deaths += 1;
    }
    set(&counted, OVER, 1);
    // The one that was not killed tells whether something was wrong; so does the tally, for the others.
    workers.pop().unwrap().ends_well();
    assert_eq!(get(&counted, HALF), 0);
    let left = folder.names();
    assert!(left.iter().all(|name| name == "tally" || name.starts_with("round-")), "{left:?}");
}

const MADE: usize = 0;
const OPENED: usize = 1;
const HALF: usize = 2;
const OVER: usize = 3;

/// Makes the file of the round or opens the one that another made, until it is over.
fn make_or_open(tally: &Path) {
    let counted = open(tally);
    let count = |at: usize| counted.words()[at].fetch_add(1, Ordering::Relaxed);
    while get(&counted, OVER) == 0 {
        let path = tally.with_file_name(format!("round-{}", get(&counted, MADE) / 4));
        let fill =
            |words: &[std::sync::atomic::AtomicU64]| words.iter().for_each(|word| word.store(1, Ordering::Relaxed));
        match Shared::create(&path, WORDS, 0o600, fill) {
            Ok(_) => _ = count(MADE),
            Err(error) if error.kind() == OpenErrorKind::AlreadyExists => {
                match Shared::open(&path) {
                    Ok(Some(shared)) if shared.words().iter().all(|word| word.load(Ordering::Relaxed) == 1) => {
                        count(OPENED);
                        // The next maker may have it.
                        let _ = fs::remove_file(&path);
                    }
                    // Somebody else removed it.
                    Ok(None) => {}
                    _ => {
                        count(HALF);
                        process::exit(1);
                    }
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
}
