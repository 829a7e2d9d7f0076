//! How it ends where COMMAND does not begin, and what that costs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::support::{Ended, FAST, Folder, Place, ended};

/// Long enough to tell that nobody waited for anything of a minute or more.
const AT_ONCE: Duration = Duration::from_secs(30);

/// It said why, in one line, and ran nothing.
fn refused(ended: &Ended, status: i32, says: &[&str]) {
    assert_eq!(ended.code(), Some(status), "{ended:?}");
    assert!(ended.output.is_empty(), "{ended:?}");
    assert!(ended.errors.starts_with("scupper: ") && ended.errors.lines().count() == 1, "{ended:?}");
    for words in says {
        assert!(ended.errors.contains(words), "no {words:?} in {ended:?}");
    }
}

#[test]
fn the_status_of_the_command_is_passed_on() {
    let place = Place::new("status");
    for status in [0, 1, 2, 123, 124, 125, 126, 127, 255] {
        let ended = ended(place.run(FAST).args(["--", "sh", "-c", &format!("exit {status}")]));
        assert_eq!((ended.code(), ended.errors), (Some(status), String::new()));
    }
}

#[test]
fn what_never_fits_is_123_at_once_and_nothing_is_taken() {
    let place = Place::new("never");
    for (args, says) in [
        ("--rate 5/h --weight 6", ["weighs 6 units", "5/h never allows more than 5"]),
        ("--rate 5/h --weight 6 --timeout 1h", ["weighs 6 units", "5/h never allows more than 5"]),
        ("--rate 5/h+3 --algorithm gcra --weight 4 --timeout 0", ["weighs 4 units", "5/h+3 never allows more than 3"]),
        ("--rate 4/s --rate 5/h --weight 5", ["weighs 5 units", "4/s never allows more than 4"]),
    ] {
        let start = Instant::now();
        refused(&ended(place.run(args).args(["--", "echo"])), 123, &says);
        assert!(start.elapsed() < AT_ONCE);
    }
    assert_eq!(place.used("echo"), 0);
}

#[test]
fn a_wait_that_is_longer_than_the_timeout_is_124_at_once_and_nothing_is_taken() {
    let place = Place::new("late");
    place.fill("echo", "1/h", 1);
    for timeout in ["0", "0s", "1us", "1s", "59min"] {
        let start = Instant::now();
        let ended = ended(place.run(&format!("--rate 1/h --timeout {timeout}")).args(["--", "echo"]));
        // So short a time may also pass while the store is being asked, and then nobody knows.
        if timeout == "1us" && ended.code() == Some(125) {
            refused(&ended, 125, &["the timeout passed", "may have been taken"]);
        } else {
            refused(&ended, 124, &["timeout: ", "nothing was taken or run"]);
        }
        assert!(start.elapsed() < AT_ONCE);
    }
    assert_eq!(place.used("echo"), 1);
}

#[test]
fn a_wait_that_is_shorter_than_the_timeout_is_waited_for() {
    let place = Place::new("in-time");
    place.fill("echo", "1/500ms", 1);
    let ended = ended(place.run("--rate 1/500ms --timeout 1h").args(["--", "echo", "done"]));
    assert_eq!((ended.code(), ended.output.as_slice()), (Some(0), b"done\n".as_slice()));
}

#[test]
fn without_time_to_wait_it_runs_if_there_is_room() {
    let place = Place::new("room");
    let ended = ended(place.run("--rate 1/h --timeout 0").args(["--", "echo", "done"]));
    assert_eq!((ended.code(), ended.output.as_slice()), (Some(0), b"done\n".as_slice()));
}

#[test]
fn a_weight_takes_so_many_units() {
    let place = Place::new("weight");
    assert_eq!(ended(place.run("--rate 5/h --weight 3").args(["--", "true"])).code(), Some(0));
    assert_eq!(place.used("true"), 3);
    let args = "--rate 5/h --weight 3 --timeout 1s";
    refused(&ended(place.run(args).args(["--", "true"])), 124, &["timeout: "]);
    assert_eq!(place.used("true"), 3);
}

#[test]
fn a_command_that_is_not_found_is_127_and_nothing_is_taken() {
    let place = Place::new("not-found");
    for program in ["no-such-command", "/no/such-command", ""] {
        refused(
            &ended(place.run("--rate 1/h --key key").args(["--", program, "argument"])),
            127,
            &[&format!("scupper: {program}: No such file or directory")],
        );
    }
    assert_eq!(place.used("key"), 0);
}

#[test]
fn a_command_that_cannot_be_run_is_126_and_nothing_is_taken() {
    let place = Place::new("cannot-run");
    let folder = Folder::new("not-executable");
    let plain = folder.file("plain", "#!/bin/sh\n");
    let directory = folder.path().to_str().unwrap().to_owned();
    for program in [&plain, &directory] {
        let ended = ended(place.run("--rate 1/h --key key").args(["--", program]));
        refused(&ended, 126, &[&format!("{program}: Permission denied")]);
    }
    let in_path = ended(place.run("--rate 1/h --key key").env("PATH", folder.path()).args(["--", "plain"]));
    refused(&in_path, 126, &["plain: Permission denied"]);
    assert_eq!(place.used("key"), 0);
}

#[test]
fn what_was_taken_for_a_command_that_turns_out_not_to_run_is_given_back() {
    let place = Place::new("given-back");
    let folder = Folder::new("interpreters");
    for (name, interpreter, status, says) in [
        ("none", "/no/such/interpreter", 127, "No such file or directory"),
        ("plain", "/etc/passwd", 126, "Permission denied"),
    ] {
        let program = folder.file(name, &format!("#!{interpreter}\n"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let ended = ended(place.run("--rate 1/h").args(["--", &program]));
        refused(&ended, status, &[&format!("scupper: {program}: {says}; is its interpreter there?\n")]);
        assert_eq!(place.used(name), 0);
    }
}

#[test]
fn a_script_that_names_no_interpreter_is_run_by_sh_as_exec_does() {
    let place = Place::new("no-shebang");
    let folder = Folder::new("no-shebang-script");
    let program = folder.file("script", "echo \"$1\"\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(ended(place.run(FAST).args(["--", &program, "ran"])).output, b"ran\n");
}
