//! Which files a store can be in, and what is said of all others: they are left as they are.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use rusqlite::Connection;
use scupper::store::{self, Store};
use scupper::{ErrorKind, SqliteStore};
use scupper_testbed::await_that;
use support::folder::Folder;
use support::sqlite::{admits, is_sound, limiting, number, refused, used};

const RATES: &str = "3/h";

/// That a path is refused, and the file that is there stays as it is.
#[track_caller]
fn refused_and_left(path: &Path, kind: ErrorKind, says: &str) {
    let before = fs::read(path).unwrap();
    refused(path, kind, says);
    assert_eq!(fs::read(path).unwrap(), before, "it is not ours to change");
    let folder = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(folder, 1, "nothing is left beside it");
}

#[test]
fn sqlite_in_memory_is_refused_with_what_would_be_right() {
    refused(":memory:", ErrorKind::InvalidConfig, "write memory: for a store in memory");
    let error = store::open("sqlite::memory:").unwrap_err();
    assert!(error.message().contains("write memory:"), "{error}");
    refused("", ErrorKind::InvalidConfig, "is empty");
}

#[test]
fn a_folder_that_is_missing_and_a_folder_in_place_of_the_file_are_refused() {
    let folder = Folder::new();
    refused(
        folder.file("missing/limits.db"),
        ErrorKind::InvalidConfig,
        "missing does not exist; make the folder first",
    );
    refused(folder.path(), ErrorKind::InvalidConfig, "is a folder; name a file in it");
    refused(folder.file(".."), ErrorKind::InvalidConfig, "names no file");
    fs::write(folder.file("file"), "text").unwrap();
    refused(folder.file("file/limits.db"), ErrorKind::InvalidConfig, "is no folder");
    refused("/dev/null", ErrorKind::InvalidConfig, "is no regular file");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
    for (content, says) in [
        (Vec::new(), "is empty, and no store's; remove it"),
        (b"x".to_vec(), "is no SQLite database; name a file that does not exist yet"),
        (b"text ".repeat(1_000), "is no SQLite database; name a file that does not exist yet"),
        ([b"SQLite format 3\0".to_vec(), vec![0; 4_080]].concat(), "is no SQLite database"),
    ] {
        let folder = Folder::new();
        let path = folder.file("limits.db");
        fs::write(&path, content).unwrap();
        refused_and_left(&path, ErrorKind::InvalidConfig, says);
    }
}

#[test]
fn the_database_of_another_program_or_version_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    let path = folder.file("theirs.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bucket (id)").unwrap();
    refused_and_left(&path, ErrorKind::InvalidConfig, "the database of another program");

    let folder = Folder::new();
    let path = folder.file("empty.db");
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
    refused_and_left(&path, ErrorKind::InvalidConfig, "an empty database");

    let folder = Folder::new();
    let path = folder.file("newer.db");
    drop(SqliteStore::open(&path).unwrap());
    await_that("the file is closed", || fs::read_dir(folder.path()).unwrap().count() == 1);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    refused_and_left(&path, ErrorKind::Corrupt, "its tables are of version 2, this library knows 1");
}

#[test]
fn a_file_without_its_tables_is_an_error_of_each_request() {
    let folder = Folder::new();
    let path = folder.file("limits.db");
    let store = SqliteStore::open(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("DROP TABLE bucket").unwrap();
    let error = limiting(RATES, &store).build().unwrap().try_acquire("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn every_path_to_a_file_leads_to_one_store() {
    let folder = Folder::new();
    fs::create_dir(folder.file("sub")).unwrap();
    let path = folder.file("limits.db");
    let store = SqliteStore::open(&path).unwrap();
    symlink(&path, folder.file("link")).unwrap();
    symlink(folder.path(), folder.file("sub/folder")).unwrap();
    admits(&store, "key", RATES);
    for other in ["link", "sub/../limits.db", "./limits.db", "sub/folder/link"] {
        let other = SqliteStore::open(folder.file(other)).unwrap();
        assert_eq!((other.identity(), other.path()), (store.identity(), store.path()));
        assert_eq!(used(&other, "key", RATES), 1);
    }
    drop(store);
    assert_eq!(used(&SqliteStore::open(folder.file("link")).unwrap(), "key", RATES), 1);
    symlink(folder.file("nowhere"), folder.file("dangling")).unwrap();
    refused(folder.file("dangling"), ErrorKind::InvalidConfig, "is a link to a file that does not exist");
}

#[test]
fn a_hard_link_is_refused_as_sqlite_would_not_see_one_name_by_the_other() {
    let folder = Folder::new();
    let (path, other) = (folder.file("limits.db"), folder.file("other.db"));
    let store = SqliteStore::open(&path).unwrap();
    admits(&store, "key", RATES);
    fs::hard_link(&path, &other).unwrap();
    // In this process it is known which file that is.
    assert_eq!(used(&SqliteStore::open(&other).unwrap(), "key", RATES), 1);
    drop(store);
    await_that("the file is closed", || !folder.file("limits.db-wal").exists());
    for path in [&path, &other] {
        refused(path, ErrorKind::InvalidConfig, "has another name besides (a hard link)");
    }
    fs::remove_file(&other).unwrap();
    assert_eq!(used(&SqliteStore::open(&path).unwrap(), "key", RATES), 1);
}

#[test]
fn relative_paths_go_on_when_the_process_moves() {
    const FOLDER: &str = "SCUPPER_TEST_RELATIVE";
    if let Ok(folder) = env::var(FOLDER) {
        env::set_current_dir(&folder).unwrap();
        let (store, url) = (SqliteStore::open("limits.db").unwrap(), store::open("sqlite:./limits.db").unwrap());
        assert_eq!(store.identity(), url.identity());
        env::set_current_dir("/").unwrap();
        admits(&store, "key", RATES);
        return;
    }
    let folder = Folder::new();
    let name = "relative_paths_go_on_when_the_process_moves";
    assert!(this_test(name).env(FOLDER, folder.path()).status().unwrap().success());
    assert_eq!(used(&SqliteStore::open(folder.file("limits.db")).unwrap(), "key", RATES), 1);
}

#[test]
fn a_url_names_a_file_with_special_characters() {
    let folder = Folder::new();
    let url = format!("sqlite:{}/what%3F is%20this.db?timeout=2s", folder.path().display());
    let store = store::connect_blocking(&url).unwrap();
    assert!(folder.file("what? is this.db").is_file());
    assert_eq!(store::open(&url).unwrap().identity(), store.identity());
}

#[test]
fn the_first_store_makes_the_file_with_what_the_umask_leaves() {
    let folder = Folder::new();
    let path = folder.file("limits.db");
    let store = SqliteStore::open(&path).unwrap();
    fs::write(folder.file("plain"), "").unwrap();
    let mode = |name: &str| fs::metadata(folder.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("limits.db"), mode("plain") & 0o644);
    assert_eq!(mode("limits.db-wal"), mode("limits.db"), "as the file itself");
    drop(store);
    assert!(path.exists(), "nobody removes it");
}

#[test]
fn a_file_that_was_removed_is_made_anew_and_what_was_beside_it_does_not_come_back() {
    let folder = Folder::new();
    let path = folder.file("limits.db");
    let store = SqliteStore::open(&path).unwrap();
    admits(&store, "key", RATES);
    fs::remove_file(&path).unwrap();
    assert!(folder.file("limits.db-wal").exists(), "that was written there is not in the file yet");
    await_that("the store notices", || used(&store, "key", RATES) == 0 && path.exists());
    admits(&store, "key", RATES);
    is_sound(&path);
    assert_eq!(number(&path, "SELECT count(*) FROM bucket"), 1);
}

#[test]
fn a_file_that_was_put_in_the_place_of_another_is_gone_on_with() {
    let folder = Folder::new();
    let path = folder.file("limits.db");
    let (store, other) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(folder.file("other.db")).unwrap());
    admits(&store, "key", RATES);
    (0..2).for_each(|_| admits(&other, "key", RATES));
    drop(other);
    await_that("the other is closed", || !folder.file("other.db-wal").exists());
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(folder.file(&format!("limits.db{suffix}"))).unwrap();
    }
    fs::rename(folder.file("other.db"), &path).unwrap();
    await_that("the store notices", || used(&store, "key", RATES) == 2);
    is_sound(&path);
}

#[test]
fn a_folder_that_was_removed_is_an_error_and_not_a_denial() {
    let folder = Folder::new();
    fs::create_dir(folder.file("sub")).unwrap();
    let store = SqliteStore::open(folder.file("sub/limits.db")).unwrap();
    fs::remove_dir_all(folder.file("sub")).unwrap();
    let limiter = limiting("1000000/h", &store).call_timeout(None).build().unwrap();
    let mut said = None;
    await_that("the store notices", || {
        said = limiter.try_acquire("key").map(|decision| assert!(decision.is_admitted())).err();
        said.is_some()
    });
    assert!(said.unwrap().message().contains("does not exist; make the folder first"));
    fs::create_dir(folder.file("sub")).unwrap();
    admits(&store, "key", RATES);
}

const READ_ONLY: &str = "SCUPPER_TEST_READ_ONLY";
const NOBODY: u32 = 65_534;

#[test]
fn a_file_or_a_folder_that_this_user_may_not_write_is_refused() {
    let name = "a_file_or_a_folder_that_this_user_may_not_write_is_refused";
    if let Ok(folder) = env::var(READ_ONLY) {
        let folder = Path::new(&folder);
        refused(folder.join("limits.db"), ErrorKind::InvalidConfig, "let this user write it and its folder");
        refused(folder.join("new.db"), ErrorKind::InvalidConfig, "let this user write its folder");
        refused(folder.join("secret/limits.db"), ErrorKind::InvalidConfig, "let this user into its folder");
        return;
    }
    let folder = Folder::new();
    let path = folder.file("limits.db");
    drop(SqliteStore::open(&path).unwrap());
    await_that("the file is closed", || !folder.file("limits.db-wal").exists());
    fs::create_dir(folder.file("secret")).unwrap();
    for (path, mode) in [(path.as_path(), 0o444), (&folder.file("secret"), 0o000), (folder.path(), 0o555)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut test = this_test(name);
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        // Whoever may do anything is not refused.
        test.uid(NOBODY).gid(NOBODY);
    }
    let done = test.env(READ_ONLY, folder.path()).stderr(Stdio::piped()).output().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A process that runs this test alone.
fn this_test(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).stdout(Stdio::null());
    command
}
