//! How runs end, and what that does to the others and to the status.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::jobs::{ended, shell};
use crate::support::{Ended, FAST, Folder, Gate, Running, throttle};

#[test]
fn a_run_that_fails_is_told_by_status_123_alone_and_the_others_run() {
    for status in [1, 100, 125, 126, 127, 254] {
        let script = format!(r#"echo "$1"; test "$1" != 2 || exit {status}"#);
        let ended = ended(&mut shell(FAST, &script), "1\n2\n3\n");
        assert_eq!((ended.code(), ended.output), (Some(123), b"1\n2\n3\n".to_vec()));
        assert!(ended.errors.is_empty(), "{}", ended.errors);
    }
}

#[test]
fn a_failure_outweighs_a_line_that_cannot_be_an_argument() {
    let ended = ended(&mut shell(FAST, "exit 1"), "1\n\0\n");
    assert_eq!(ended.code(), Some(123));
}

#[test]
fn status_255_stops_it() {
    let ended = ended(&mut shell(FAST, r#"echo "$1"; test "$1" != 2 || exit 255"#), "1\n2\n3\n");
    assert_eq!((ended.code(), ended.output), (Some(124), b"1\n2\n".to_vec()));
    assert_eq!(ended.errors, "scupper: sh: ended with status 255; starting no more\n");
}

#[test]
fn a_run_that_is_killed_stops_it() {
    let ended = ended(&mut shell(FAST, r#"echo "$1"; test "$1" != 2 || kill -KILL $$"#), "1\n2\n3\n");
    assert_eq!((ended.code(), ended.output), (Some(125), b"1\n2\n".to_vec()));
    assert_eq!(ended.errors, "scupper: sh: killed by signal 9; starting no more\n");
}

#[test]
fn those_running_are_waited_for_when_one_stops_it() {
    for (end, status, says) in
        [("exit 255", 124, "ended with status 255"), ("kill -TERM $$", 125, "killed by signal 15")]
    {
        let folder = Folder::new(&format!("stop-{status}"));
        let gate = Gate::new(&folder);
        let script = format!(r#"test "$1" = slow || {end}; read _ <"$GATE"; echo "$1 done""#);
        let mut running = Running::new(shell(&format!("{FAST} --jobs 2"), &script).env("GATE", gate.path()));
        running.send("slow\nstops\nnever\n");
        assert_eq!(running.read_error(), format!("scupper: sh: {says}; starting no more\n"));
        gate.let_one_through();
        let ended = running.end();
        assert_eq!((ended.code(), ended.output), (Some(status), b"slow done\n".to_vec()));
        assert!(ended.errors.is_empty(), "{}", ended.errors);
    }
}

#[test]
fn it_stops_though_a_line_waits_for_the_rate_or_none_comes() {
    for input in ["1\n2\n", "1\n"] {
        let mut running = Running::new(&mut shell("--rate 1/h --jobs 2", "exit 255"));
        running.send(input);
        assert_eq!(running.end().code(), Some(124));
    }
}

#[test]
fn a_command_that_is_not_found_is_127() {
    for program in ["no-such-command", "/no/such/command", ""] {
        let ended = ended(throttle(FAST).args(["--", program, "argument"]), "1\n2\n");
        assert_eq!((ended.code(), ended.output), (Some(127), Vec::new()));
        assert_eq!(ended.errors, format!("scupper: {program}: No such file or directory\n"));
    }
}

#[test]
fn a_command_that_cannot_be_run_is_126() {
    let folder = Folder::new("not-executable");
    let plain = folder.file("plain", "#!/bin/sh\n");
    let no_program = folder.file("no-program", "no program\n");
    fs::set_permissions(&no_program, fs::Permissions::from_mode(0o755)).unwrap();
    let directory = folder.path().to_str().unwrap().to_owned();
    for (program, why) in
        [(plain, "Permission denied"), (directory, "Permission denied"), (no_program, "Exec format error")]
    {
        let ended = ended(throttle(FAST).args(["--", &program]), "1\n2\n");
        assert_eq!((ended.code(), ended.output), (Some(126), Vec::new()));
        assert_eq!(ended.errors, format!("scupper: {program}: {why}\n"));
    }
}

#[test]
fn no_lines_are_no_runs() {
    assert_eq!(ended(throttle(FAST).args(["--", "no-such-command"]), "").code(), Some(0));
}

#[test]
fn ends_are_known_though_the_parent_ignores_them() {
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", r#"trap "" CHLD; exec "$0" throttle --rate 1000000000/s -- sh -c 'exit "$1"' sh"#]);
    ignoring.arg(env!("CARGO_BIN_EXE_scupper")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = ended(&mut ignoring, "0\n3\n0\n");
    assert_eq!((ended.code(), ended.errors), (Some(123), String::new()));
}

fn died_quietly_by(signal: Signal, ended: &Ended) {
    assert_eq!(ended.status.signal(), Some(signal.as_raw()), "{ended:?}");
    assert!(ended.errors.is_empty(), "{ended:?}");
}

#[test]
fn a_signal_while_a_line_waits_ends_it_at_once() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut running = Running::new(&mut shell("--rate 1/h", r#"echo "$1""#));
        running.send("1\n2\n");
        running.expect("1\n");
        running.signal(signal);
        let ended = running.end();
        died_quietly_by(signal, &ended);
        assert!(ended.output.is_empty(), "{ended:?}");
    }
}

#[test]
fn a_signal_to_it_alone_leaves_those_running_and_starts_no_more() {
    let folder = Folder::new("alone");
    let gate = Gate::new(&folder);
    let script = r#"echo "$1"; read _ <"$GATE"; echo "$1 done""#;
    let mut running = Running::new(shell(FAST, script).env("GATE", gate.path()));
    running.send("1\n2\n3\n");
    running.expect("1\n");
    running.signal(Signal::TERM);
    running.wait().unwrap();
    gate.let_one_through();
    let ended = running.end();
    died_quietly_by(Signal::TERM, &ended);
    assert_eq!(ended.output, b"1 done\n");
}

#[test]
fn a_ctrl_c_that_also_ends_the_runs_is_what_it_dies_by() {
    for end in ["", r#"trap "exit 255" INT; "#, r#"trap "exit 1" INT; "#] {
        // Not blocked in a call when the signal comes: a shell may then forget its trap until the call returns.
        let script = format!(r#"{end}echo "$1"; i=0; while test $i -lt 10000000; do i=$((i + 1)); done"#);
        for _ in 0..10 {
            let mut running = Running::new(shell(&format!("{FAST} --jobs 2"), &script).process_group(0));
            running.send("1\n1\n2\n3\n");
            running.expect("1\n1\n");
            kill_process_group(Pid::from_child(&running), Signal::INT).unwrap();
            let ended = running.end();
            died_quietly_by(Signal::INT, &ended);
            assert!(ended.output.is_empty(), "{ended:?}");
        }
    }
}
