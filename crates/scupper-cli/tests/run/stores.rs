//! Stores that are not there, or let nobody in.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use scupper_testbed::{Fault, Proxy, RedisServer, free_port};

use crate::support::{Folder, Place, Running, alone, await_waiting, ended, scupper};

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_store_that_is_away_is_125_with_a_reason() {
    let mut run = scupper("--rate 5/h --timeout 1h -- echo ran");
    let ended = ended(run.env("SCUPPER_STORE", format!("redis://127.0.0.1:{}", free_port())));
    assert_eq!((ended.code(), ended.output.as_slice()), (Some(125), b"".as_slice()));
    assert!(ended.errors.starts_with("scupper: store unavailable: "), "{}", ended.errors);
    assert!(ended.errors.ends_with("nothing was taken or run\n"), "{}", ended.errors);
}

#[test]
fn a_store_that_cuts_the_line_after_it_was_asked_is_125_and_says_that_units_may_be_taken() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.set(Fault::cut_after_send().when_sent("the-key"));
    let mut run = scupper("--rate 5/h --key the-key -- echo ran");
    let ended = ended(run.env("SCUPPER_STORE", format!("redis://127.0.0.1:{}", proxy.port())));
    assert_eq!((ended.code(), ended.output.as_slice()), (Some(125), b"".as_slice()));
    assert!(ended.errors.starts_with("scupper: outcome unknown: "), "{}", ended.errors);
    assert!(ended.errors.ends_with("nothing was run, and the units may have been taken\n"), "{}", ended.errors);
}

#[test]
fn a_file_that_another_process_has_is_waited_for_no_longer_than_the_timeout() {
    let folder = Folder::new("a-file-that-another-has");
    // Who makes the file of a store has its folder locked.
    let another = File::open(folder.path()).unwrap();
    another.lock().unwrap();
    let url = format!("sqlite:{}?timeout=3600s", folder.path().join("limits.db").display());
    let ended = ended(scupper("--rate 5/h --timeout 100ms -- echo ran").env("SCUPPER_STORE", url));
    assert_eq!(ended.code(), Some(124), "{ended:?}");
    assert!(ended.errors.starts_with("scupper: timeout: "), "{ended:?}");
    assert!(ended.errors.ends_with("nothing was taken or run\n"), "{ended:?}");
}

#[test]
fn with_no_time_to_wait_a_file_that_another_process_keeps_is_125_and_says_which_how_long_and_what_to_do() {
    let folder = Folder::new("a-file-that-another-keeps");
    let another = File::open(folder.path()).unwrap();
    another.lock().unwrap();
    let path = folder.path().join("limits.db");
    let url = format!("sqlite:{}?timeout=50ms", path.display());
    let ended = ended(scupper("--rate 5/h --timeout 0 -- echo ran").env("SCUPPER_STORE", url));
    assert_eq!((ended.code(), ended.output.as_slice()), (Some(125), b"".as_slice()));
    let waited = ended.errors.split_once(" ms;").and_then(|(before, _)| before.rsplit(' ').next()?.parse::<u64>().ok());
    assert!(waited.is_some_and(|waited| waited >= 50), "{ended:?}");
    for words in [path.to_str().unwrap(), "try again later", "longer timeout", "nothing was taken or run\n"] {
        assert!(ended.errors.contains(words), "{words}: {ended:?}");
    }
}

#[test]
fn a_store_that_is_not_reached_in_time_is_124_and_takes_nothing() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.set(Fault::stall());
    let mut run = scupper("--rate 5/h --timeout 100ms -- echo ran");
    let ended = ended(run.env("SCUPPER_STORE", format!("redis://127.0.0.1:{}", proxy.port())));
    assert_eq!(ended.code(), Some(124), "{ended:?}");
    assert!(ended.errors.contains("not reached in time; nothing was taken or run"), "{ended:?}");
}

#[test]
fn a_store_that_goes_away_while_a_run_waits_is_asked_again_until_it_is_back() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let run = |args: &str, url: &str| {
        let mut run = scupper(args);
        Running::new(run.args(["--key", "key", "--", "echo", "ran"]).env("SCUPPER_STORE", url))
    };
    assert_eq!(run("--rate 1/4s", &server.url()).end().code(), Some(0));
    let mut waiting = run("--rate 1/4s", &format!("redis://127.0.0.1:{}", proxy.port()));
    await_waiting(&waiting);
    proxy.set(Fault::refuse());
    let said = waiting.read_error();
    assert!(said.starts_with("scupper: store unavailable: ") && said.contains("asked again"), "{said}");
    proxy.heal();
    let ended = waiting.end();
    assert_eq!((ended.code(), ended.output.as_slice(), ended.errors.as_str()), (Some(0), b"ran\n".as_slice(), ""));
}

#[test]
fn a_wrong_password_is_a_bad_argument_and_not_shown() {
    let server = RedisServer::builder().password("right").start();
    let mut run = scupper("--rate 5/h -- echo ran");
    let ended = ended(run.env("SCUPPER_STORE", format!("redis://:wrong-one@127.0.0.1:{}", server.port())));
    assert_eq!(ended.code(), Some(2), "{}", ended.errors);
    assert!(!ended.errors.contains("wrong-one"), "{}", ended.errors);
}

#[test]
fn without_a_home_the_default_store_has_no_place() {
    for (name, value) in [("HOME", ""), ("HOME", "relative"), ("XDG_STATE_HOME", "")] {
        let mut run = scupper("--rate 5/h -- echo ran");
        let ended = ended(run.env_remove("HOME").env_remove("XDG_STATE_HOME").env(name, value));
        assert_eq!((ended.code(), ended.output.as_slice()), (Some(125), b"".as_slice()));
        for words in ["XDG_STATE_HOME", "HOME", "--store"] {
            assert!(ended.errors.contains(words), "{}", ended.errors);
        }
    }
}

#[test]
fn the_default_store_is_made_for_this_user_alone() {
    let home = Folder::new("home");
    let mut run = scupper("--rate 5/h -- true");
    let ended = ended(run.env_remove("XDG_STATE_HOME").env("HOME", home.path()));
    assert_eq!((ended.code(), ended.errors), (Some(0), String::new()));
    for folder in [".local", ".local/state", ".local/state/scupper"] {
        assert_eq!(mode_of(&home.path().join(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode_of(&home.path().join(".local/state/scupper/limits.sqlite")), 0o600);
}

#[test]
fn the_default_store_is_made_for_this_user_alone_in_a_folder_of_all_and_the_command_has_its_mask() {
    let state = Folder::new("open-to-all");
    let folder = state.path().join("scupper");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let mut shell = Command::new("sh");
    alone(shell.args([
        "-c",
        "umask 0; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_scupper"),
        "run",
        "--rate",
        "5/h",
        "--",
    ]));
    let script = "umask; stat -c '%a %n' \"$XDG_STATE_HOME\"/scupper/*";
    let ended = ended(shell.args(["sh", "-c", script]).env("XDG_STATE_HOME", state.path()));
    let output = String::from_utf8(ended.output).unwrap();
    let mut lines = output.lines();
    assert_eq!(lines.next(), Some("0000"), "{output}");
    let files: Vec<_> = lines.collect();
    assert!(!files.is_empty() && files.iter().all(|file| file.starts_with("600 ")), "{output}");
}

#[test]
fn a_default_store_that_cannot_be_made_or_read_is_125_with_a_reason() {
    let folder = Folder::new("in-the-way");
    let file = folder.file("file", "");
    fs::create_dir(folder.path().join("scupper")).unwrap();
    folder.file("scupper/limits.sqlite", &"no database ".repeat(1000));
    for (state, says) in [(file.as_str(), "Not a directory"), (folder.path().to_str().unwrap(), "limits.sqlite")] {
        let mut run = scupper("--rate 5/h -- echo ran");
        let ended = ended(run.env("XDG_STATE_HOME", state));
        assert_eq!((ended.code(), ended.output.as_slice()), (Some(125), b"".as_slice()), "{}", ended.errors);
        assert!(ended.errors.contains(says) && ended.errors.lines().count() == 1, "{}", ended.errors);
    }
}

#[test]
fn a_key_that_another_algorithm_keeps_is_a_bad_argument_and_says_what_a_user_can_do() {
    let place = Place::of_state("algorithms");
    assert_eq!(ended(&mut place.run("--rate 5/h -- true")).code(), Some(0));
    let refused = ended(&mut place.run("--rate 5/h --algorithm gcra -- true"));
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    let file = place.url().strip_prefix("sqlite:").unwrap();
    for words in ["error: key \"true\": ", "--algorithm", "another --key", &format!("remove {file}")] {
        assert!(refused.errors.contains(words), "{words}: {}", refused.errors);
    }
    assert_eq!(place.used("true"), 1);
    let named = Place::shared_memory("algorithms-shm");
    assert_eq!(ended(&mut named.run("--rate 5/h -- true")).code(), Some(0));
    let refused = ended(&mut named.run("--rate 5/h --algorithm gcra -- true"));
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(refused.errors.contains("another --key") && !refused.errors.contains(".sqlite"), "{}", refused.errors);
}

#[test]
fn the_default_store_is_found_wherever_its_folder_lies() {
    for name in ["two words", "100%25", "what?cache=shared", "#1", "\u{fc}ber"] {
        let folder = Folder::new(name);
        let mut run = scupper("--rate 5/h -- true");
        let ended = ended(run.env("XDG_STATE_HOME", folder.path()));
        assert_eq!((ended.code(), ended.errors), (Some(0), String::new()));
        assert!(folder.path().join("scupper/limits.sqlite").is_file(), "{name}");
    }
}

#[test]
fn a_store_can_be_a_file_or_memory_of_ones_own() {
    let folder = Folder::new("own");
    for scheme in ["sqlite", "shm"] {
        let place = folder.path().join(scheme);
        let mut run = scupper("--rate 1/h --timeout 0 -- true");
        run.env("SCUPPER_STORE", format!("{scheme}:{}", place.display()));
        assert_eq!(ended(&mut run).code(), Some(0));
        assert_eq!(ended(&mut run).code(), Some(124));
        assert!(place.is_file());
    }
}

#[test]
fn a_command_that_runs_on_is_in_nobodys_way() {
    for place in [Place::of_state("runs-on"), Place::shared_memory("runs-on-shm"), Place::redis(), Place::postgres()] {
        let mut first = place.run("--rate 1000/h --key key");
        let script = "echo ready; read line; echo $line";
        let mut first = Running::new(first.stdin(Stdio::piped()).args(["--", "sh", "-c", script]));
        first.expect("ready\n");
        for _ in 0..3 {
            assert_eq!(ended(&mut place.run("--rate 1000/h --key key -- true")).code(), Some(0));
        }
        first.send("done\n");
        assert_eq!(first.end().output, b"done\n");
        assert_eq!(place.used("key"), 4);
    }
}
