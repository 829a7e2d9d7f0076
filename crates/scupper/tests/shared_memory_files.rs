//! The file of shared memory: who makes it, who may use it, and what is no such file.
#![cfg(all(feature = "shared-memory", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::error::Error as _;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::{env, process};

use scupper::store::Store;
use scupper::{Error, ErrorKind, Limiter, SharedMemoryStore, store};
use scupper_shm::Shared;
use scupper_testbed::await_that;
use support::shared_memory::Place;

/// What a child of this test is to open.
const URL: &str = "SCUPPER_TEST_SHARED_MEMORY_URL";
const OPENS: &str = "a_process_opens_what_it_is_told_and_takes_what_it_gets";

fn open(url: &str) -> Result<SharedMemoryStore, Error> {
    SharedMemoryStore::open(url)
}

fn limiter(store: &SharedMemoryStore, rate: &str) -> Limiter {
    Limiter::builder().rates([rate.parse().unwrap()]).store(store.clone()).build().unwrap()
}

/// Whether one unit of a thousand an hour is there.
fn takes(store: &SharedMemoryStore) -> bool {
    limiter(store, "1000/h").try_acquire("key").unwrap().is_admitted()
}

/// Another process that runs this test alone.
fn child(executable: &Path, url: &str) -> Command {
    let mut command = Command::new(executable);
    command.args(["--exact", OPENS, "--nocapture"]).env(URL, url);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn said(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "it says why");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_process_opens_what_it_is_told_and_takes_what_it_gets() {
    let Ok(url) = env::var(URL) else { return };
    // All begin at once.
    let _ = std::io::stdin().read_line(&mut String::new());
    match open(&url) {
        Err(error) => println!("error of kind {}: {error}", error.kind()),
        Ok(store) => {
            let limiter = limiter(&store, "20/h");
            let admitted = (0..9).filter(|_| limiter.try_acquire("key").unwrap().is_admitted()).count();
            println!("took {admitted} units");
        }
    }
}

#[test]
fn promise_1_those_who_make_a_file_at_once_have_the_same() {
    let executable = env::current_exe().unwrap();
    for _ in 0..20 {
        let place = Place::new();
        let mut makers: Vec<Child> = (0..4).map(|_| child(&executable, &place.url("")).spawn().unwrap()).collect();
        for maker in &mut makers {
            maker.stdin.take().unwrap().write_all(b"go\n").unwrap();
        }
        let took = |text: &str| text.split("took ").nth(1)?.split(' ').next()?.parse::<u64>().ok();
        let said = makers.into_iter().map(said);
        let taken: u64 = said.map(|said| took(&said).unwrap_or_else(|| panic!("one said {said:?}"))).sum();
        assert_eq!(taken, 20, "one limit for all of them");
    }
}

#[test]
fn openings_of_one_file_are_one_store_in_a_process() {
    let (place, other, link) = (Place::new(), Place::new(), Place::new());
    let one = open(&place.url("")).unwrap();
    symlink(place.path(), link.path()).unwrap();
    let name = place.path().file_name().unwrap().to_str().unwrap();
    let by_name = format!("shm:{}", name.strip_prefix("scupper-").unwrap());
    for url in [place.url(""), link.url("?timeout=1s"), place.url("?size=16MiB"), by_name] {
        assert_eq!(open(&url).unwrap().identity(), one.identity(), "{url}");
        assert_eq!(store::open(&url).unwrap().identity(), one.identity(), "{url}");
    }
    assert_eq!(store::connect_blocking(&place.url("")).unwrap().identity(), one.clone().identity());
    assert_ne!(open(&other.url("")).unwrap().identity(), one.identity());
}

#[test]
fn what_was_taken_outlives_those_who_took_it() {
    let place = Place::new();
    let took = |limit: &str| limiter(&open(&place.url("")).unwrap(), limit).try_acquire("key").unwrap().is_admitted();
    assert!(took("1/h"));
    assert!(!took("1/h"), "the file is there, and nobody has it open meanwhile");
}

#[test]
fn that_a_file_was_removed_or_replaced_is_noticed_and_it_is_to_be_opened_anew() {
    for is_replaced in [false, true] {
        let place = Place::new();
        let old = open(&place.url("")).unwrap();
        assert!(takes(&old));
        if is_replaced {
            let other = Place::new();
            drop(open(&other.url("")).unwrap());
            fs::rename(other.path(), place.path()).unwrap();
        } else {
            fs::remove_file(place.path()).unwrap();
        }
        let limiter = limiter(&old, "1000000/h");
        await_that("it is noticed", || limiter.try_acquire("key").is_err());
        let error = limiter.try_acquire("key").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("removed") && error.message().contains("open the store anew"), "{error}");
        let new = open(&place.url("")).unwrap();
        assert!(takes(&new));
        assert_ne!(old.identity(), new.identity());
        assert!(limiter.peek("key").is_err(), "a second later as well");
    }
}

#[test]
fn a_file_that_was_moved_away_and_back_is_the_same() {
    let (place, aside) = (Place::new(), Place::new());
    let store = open(&place.url("")).unwrap();
    let limiter = limiter(&store, "1000000/h");
    fs::rename(place.path(), aside.path()).unwrap();
    drop(open(&place.url("")).unwrap());
    await_that("it is noticed", || limiter.try_acquire("key").is_err());
    fs::rename(aside.path(), place.path()).unwrap();
    assert!(limiter.try_acquire("key").unwrap().is_admitted());
}

#[test]
fn the_size_is_that_with_which_the_file_was_made() {
    let place = Place::new();
    let made = open(&place.url("?size=1MiB")).unwrap();
    assert!(fs::metadata(place.path()).unwrap().len() >= 1 << 20);
    assert!(takes(&open(&place.url("")).unwrap()), "who asks for no size takes what is there");
    assert!(takes(&open(&place.url("?size=1024KiB")).unwrap()));
    let asked = [open(&place.url("?size=2MiB")), SharedMemoryStore::builder(&place.url("")).size(4096 * 1024).open()];
    for error in asked.map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.message().contains("has 1048576 bytes, not "), "{error}");
    }
    assert!(takes(&made));
}

#[test]
fn settings_out_of_their_range_are_refused_and_make_no_file() {
    let place = Place::new();
    for (options, says) in [
        ("?size=1KiB", "at least 64 KiB"),
        ("?size=9999GiB", "at most 1 TiB"),
        ("?mode=400", "use 0o600"),
        ("?mode=777", "nobody can run it"),
    ] {
        let error = open(&place.url(options)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.message().contains(says), "{error}");
    }
    // As one writes who forgets that permissions are octal.
    let error = SharedMemoryStore::builder(&place.url("")).mode(600).open().unwrap_err();
    assert!(error.message().contains("0o1130") && error.message().contains("0o600"), "{error}");
    assert!(!place.path().exists());
}

#[test]
fn an_error_says_its_cause_once() {
    let place = Place::new();
    symlink(place.path(), place.path()).unwrap();
    let error = open(&place.url("")).unwrap_err();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let said: String = causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"));
    assert_eq!(said.matches("os error").count(), 1, "{said}");
    assert_eq!(said.matches(place.path().to_str().unwrap()).count(), 1, "{said}");
}

#[test]
fn what_is_no_such_file_is_an_error_and_stays_as_it_was() {
    let place = Place::new();
    drop(open(&place.url("?size=1MiB")).unwrap());
    let whole = fs::read(place.path()).unwrap();
    let mut longer = whole.clone();
    longer.extend([0; 4096]);
    let mut foreign = whole.clone();
    foreign[..64].fill(b'x');
    let (wrong, damaged) = (ErrorKind::InvalidConfig, ErrorKind::Corrupt);
    for (bytes, what, kind) in [
        (&whole[..0], "empty", wrong),
        (&whole[..100], "shorter than a header", wrong),
        (&whole[..whole.len() / 2], "cut off", damaged),
        (&longer, "longer", damaged),
        (&foreign, "another program's", wrong),
        (&b"[limits]\nrate = 5\n".repeat(1000), "text", wrong),
    ] {
        fs::write(place.path(), bytes).unwrap();
        let error = open(&place.url("")).unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert_eq!(fs::read(place.path()).unwrap(), bytes, "{what}");
    }
    fs::write(place.path(), whole).unwrap();
    // The library's own header, within that of the mapped file.
    for (word, other, says) in [(1, 2, "the version 2, this library knows 1"), (2, 9, "made with 9 words")] {
        let file = Shared::open(place.path()).unwrap().unwrap();
        let before = file.words()[word].swap(other, Ordering::Relaxed);
        let error = open(&place.url("")).unwrap_err();
        assert!(error.kind() == ErrorKind::Corrupt && error.message().contains(says), "{error}");
        file.words()[word].store(before, Ordering::Relaxed);
    }
    assert!(takes(&open(&place.url("")).unwrap()));
}

#[test]
fn what_keeps_a_file_from_being_opened_is_said() {
    let place = Place::new();
    let url = format!("shm:{}/no/such/folder", place.path().display());
    assert_eq!(open(&url).unwrap_err().kind(), ErrorKind::InvalidConfig);
    fs::create_dir(place.path()).unwrap();
    let error = open(&place.url("")).unwrap_err();
    fs::remove_dir(place.path()).unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
}

#[test]
fn the_file_is_made_with_the_permissions_that_were_asked_for() {
    for (options, mode) in [("", 0o600), ("?mode=660", 0o660), ("?mode=0666", 0o666)] {
        let place = Place::new();
        open(&place.url(options)).unwrap();
        assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o7777, mode, "whatever the mask of this process");
    }
}

/// Becoming somebody else takes rights that not every user has; the modes are looked at above, with no rights at all.
#[test]
fn another_user_is_let_in_only_where_the_permissions_say_so() {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    // Where that one may run it, wherever this was built.
    let executable = env::temp_dir().join(format!("scupper-test-other-user-{}", process::id()));
    fs::copy(env::current_exe().unwrap(), &executable).unwrap();
    fs::set_permissions(&executable, Permissions::from_mode(0o755)).unwrap();
    let (own, shared) = (Place::new(), Place::new());
    open(&own.url("")).unwrap();
    open(&shared.url("?mode=666")).unwrap();
    let as_other = |url: &str| {
        let mut command = child(&executable, url);
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        said(command.spawn().unwrap())
    };
    let (closed, open) = (as_other(&own.url("")), as_other(&shared.url("")));
    fs::remove_file(&executable).unwrap();
    assert!(open.contains("took 9 units"), "{open}");
    let expected = if is_root { "error of kind invalid configuration" } else { "took 9 units" };
    assert!(closed.contains(expected), "{closed}");
}

/// To give a file to somebody else takes rights that not every user has; the rule itself is looked at where it stands, with none.
#[test]
fn by_name_another_users_file_is_taken_only_by_who_says_that_it_is_shared() {
    let place = Place::new();
    let path = place.path().to_str().unwrap();
    let name = path.strip_prefix("/dev/shm/scupper-").unwrap();
    let by_name = |options: &str| open(&format!("shm:{name}{options}"));
    assert!(takes(&by_name("?mode=666").unwrap()));
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        chown(path, Some(65_534), Some(65_534)).unwrap();
    }
    assert!(takes(&by_name("?mode=666").unwrap()));
    assert!(takes(&open(&place.url("")).unwrap()), "a path is taken as it is");
    for options in ["", "?mode=600", "?mode=660"] {
        let refused = by_name(options).err().map(|error| (error.kind(), error.message().contains("the user 65534")));
        assert_eq!(refused, is_root.then_some((ErrorKind::InvalidConfig, true)), "{options}");
    }
}

#[test]
fn a_store_shows_where_it_is_and_no_secret() {
    let place = Place::new();
    let shown = format!("{:?}", open(&place.url("?size=1MiB")).unwrap());
    let path = place.path();
    assert_eq!(
        shown,
        format!("SharedMemoryStore {{ mapped: Mapped {{ path: {path:?}, bytes: 1048576, .. }}, lock_within: 500ms }}")
    );
}
