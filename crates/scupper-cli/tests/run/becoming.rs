//! What COMMAND gets, and what is seen of it from outside: nothing of scupper.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};

use rustix::process::Signal;

use crate::support::{FAST, Folder, Place, Running, ended};

/// Prints its arguments, each in brackets and on a line, and leaves their bytes alone.
const PRINT: [&str; 3] = ["printf", "[%s]\n", "--"];

#[test]
fn arguments_are_passed_byte_for_byte() {
    let place = Place::new("arguments");
    let odd: [&[u8]; 9] =
        [b"", b" ", b"two words", b"--rate", b"-c", b"a\nb", b"\xff\xfe", "\u{fc}".as_bytes(), b"*$HOME'\"\\"];
    let run = ended(place.run(FAST).arg("--").args(PRINT).args(odd.map(OsStr::from_bytes)));
    let expected: Vec<u8> =
        [b"--".as_slice()].into_iter().chain(odd).flat_map(|arg| [b"[", arg, b"]\n"].concat()).collect();
    assert_eq!((run.code(), run.output), (Some(0), expected));
}

#[test]
fn odd_names_are_found_and_are_what_the_command_hears() {
    let place = Place::new("names");
    let folder = Folder::new("odd-names");
    for name in [b"-n".as_slice(), b"--", b"two words", b"\xff\xfe", b"a\nb", b"=", b"run"] {
        std::os::unix::fs::symlink("/bin/cat", folder.path().join(OsStr::from_bytes(name))).unwrap();
        let mut run = place.run(FAST);
        run.env("PATH", folder.path()).arg("--").arg(OsStr::from_bytes(name)).arg("/proc/self/cmdline");
        let ended = ended(&mut run);
        let heard = [name, b"\0/proc/self/cmdline\0"].concat();
        assert_eq!((ended.code(), ended.output), (Some(0), heard), "{}", ended.errors);
    }
}

#[test]
fn the_environment_is_passed_byte_for_byte() {
    let place = Place::new("environment");
    let mut run = place.run(FAST);
    run.env_clear().env("ODD", OsStr::from_bytes(b"\xff=\n")).env("EMPTY", "").env("PATH", "/bin:/usr/bin");
    place.lead(&mut run);
    let given = run.get_envs().filter_map(|(name, value)| Some([name.as_bytes(), b"=", value?.as_bytes()].concat()));
    let given: BTreeSet<_> = given.collect();
    let ended = ended(run.args(["--", "env", "-0"]));
    let found = ended.output.split(|byte| *byte == 0).filter(|variable| !variable.is_empty()).map(<[u8]>::to_vec);
    assert_eq!((ended.code(), found.collect::<BTreeSet<_>>()), (Some(0), given));
}

#[test]
fn the_folder_is_kept() {
    let place = Place::new("folder");
    let folder = Folder::new("here");
    let ended = ended(place.run(FAST).current_dir(folder.path()).args(["--", "pwd", "-P"]));
    let here = folder.path().canonicalize().unwrap();
    assert_eq!((ended.code(), ended.output), (Some(0), [here.as_os_str().as_bytes(), b"\n"].concat()));
}

#[test]
fn input_is_left_unread_and_output_goes_straight_through() {
    let place = Place::new("stdio");
    let mut run =
        Running::new(place.run(FAST).stdin(std::process::Stdio::piped()).args(["--", "sh", "-c", "cat; echo err >&2"]));
    run.send("in\0put");
    drop(run.stdin.take());
    let ended = run.end();
    assert_eq!((ended.code(), ended.output, ended.errors), (Some(0), b"in\0put".to_vec(), "err\n".into()));
}

#[test]
fn it_is_the_same_process_with_the_same_parent_and_group() {
    let place = Place::new("process");
    // Of the process itself, where a shell would tell of one that it has begun.
    let run = Running::new(place.run(FAST).process_group(0).args(["--", "cat", "/proc/self/stat"]));
    let id = run.id();
    let ended = run.end();
    let text = String::from_utf8(ended.output).unwrap();
    let fields: Vec<&str> = text.split(' ').collect();
    let parent = std::process::id().to_string();
    assert_eq!(fields[..5], [&id.to_string(), "(cat)", "R", &parent, &id.to_string()]);
}

#[test]
fn death_by_a_signal_is_seen_as_such() {
    let place = Place::new("death");
    for signal in [Signal::TERM, Signal::KILL, Signal::PIPE, Signal::SEGV, Signal::USR1] {
        let ended = ended(place.run(FAST).args(["--", "sh", "-c", &format!("kill -{} $$", signal.as_raw())]));
        assert_eq!((ended.status.signal(), ended.errors), (Some(signal.as_raw()), String::new()));
    }
}

#[test]
fn a_signal_to_the_process_is_the_commands() {
    let place = Place::new("trap");
    let script = r#"trap "echo trapped; exit 3" INT TERM; echo ready; while :; do :; done"#;
    for signal in [Signal::INT, Signal::TERM] {
        let mut run = Running::new(place.run(FAST).args(["--", "sh", "-c", script]));
        run.expect("ready\n");
        run.signal(signal);
        let ended = run.end();
        assert_eq!((ended.code(), ended.output), (Some(3), b"trapped\n".to_vec()));
    }
}
