//! On a terminal.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use rustix::process::Signal;

use crate::common::terminal::{read_until, terminal};
use crate::support::{Place, Running, alone, await_stopped, await_waiting};

/// A session of its own on this terminal, whose leader becomes `scupper run` and then a shell with this script.
fn session(place: &Place, args: &str, script: &str, drawn: File) -> Running {
    let mut setsid = Command::new("setsid");
    alone(setsid.args(["--ctty", env!("CARGO_BIN_EXE_scupper"), "run"]).args(args.split(' ')));
    setsid.args(["--", "sh", "-c", script]).env("TERM", "xterm");
    place.lead(&mut setsid);
    let (input, output) = (drawn.try_clone().unwrap(), drawn.try_clone().unwrap());
    Running::new(setsid.stdin(input).stdout(output).stderr(drawn))
}

#[test]
fn the_command_has_the_terminal() {
    let place = Place::new("terminal");
    let (mut seen, drawn) = terminal();
    let script = r#"test -t 0 && test -t 1 && test -t 2 && read line </dev/tty && echo "got $line" && stty size"#;
    let run = session(&place, "--rate 5/h", script, drawn);
    seen.write_all(b"typed\n").unwrap();
    let mut text = String::new();
    read_until(&mut seen, &mut text, |text| text.contains("24 80"));
    assert_eq!(run.end().code(), Some(0), "{text:?}");
    assert!(text.contains("got typed"), "{text:?}");
}

#[test]
fn a_ctrl_c_goes_to_the_command() {
    let place = Place::new("ctrl-c");
    let (mut seen, drawn) = terminal();
    let run = session(&place, "--rate 5/h", "echo ready; while :; do :; done", drawn);
    let mut text = String::new();
    read_until(&mut seen, &mut text, |text| text.contains("ready"));
    seen.write_all(b"\x03").unwrap();
    assert_eq!(run.end().status.signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn a_ctrl_c_ends_the_wait() {
    let place = Place::new("ctrl-c-waiting");
    place.fill("sh", "1/h", 1);
    let (mut seen, drawn) = terminal();
    let run = session(&place, "--rate 1/h", "echo ran", drawn);
    await_waiting(&run);
    seen.write_all(b"\x03").unwrap();
    assert_eq!(run.end().status.signal(), Some(Signal::INT.as_raw()));
    let mut text = String::new();
    read_until(&mut seen, &mut text, |_| false);
    assert!(!text.contains("ran") && place.used("sh") == 1, "{text:?}");
}

/// What is left in the row of the cursor.
fn row(text: &str) -> &str {
    text.rsplit("\x1b[2K").next().unwrap().rsplit('\n').next().unwrap().trim_matches('\r')
}

#[test]
fn a_wait_is_shown_and_wiped_before_the_command_begins() {
    let place = Place::new("shown");
    place.fill("a\tkey", "1/4s", 1);
    let (mut seen, drawn) = terminal();
    let mut setsid = Command::new("setsid");
    alone(setsid.args(["--ctty", env!("CARGO_BIN_EXE_scupper"), "run", "--rate", "1/4s", "--key", "a\tkey"]));
    place.lead(setsid.args(["--", "echo", "ran"]).env("TERM", "xterm"));
    let run = Running::new(setsid.stdin(drawn.try_clone().unwrap()).stdout(drawn.try_clone().unwrap()).stderr(drawn));
    drop(setsid);
    let mut text = String::new();
    read_until(&mut seen, &mut text, |_| false);
    let shown: BTreeSet<&str> = text.split(r"a\tkey: 1/4s is full, next in ").skip(1).map(|left| &left[..3]).collect();
    assert!(shown.len() > 1, "it counts down: {text:?}");
    assert_eq!(run.end().code(), Some(0), "{text:?}");
    let (before, _) = text.split_once("ran\r\n").unwrap();
    assert_eq!(row(before), "", "{text:?}");
}

#[test]
fn a_signal_ends_a_wait_that_is_shown_and_leaves_no_row() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let place = Place::new("shown-and-ended");
        place.fill("sh", "1/h", 1);
        let (mut seen, drawn) = terminal();
        let run = session(&place, "--rate 1/h", "echo ran", drawn);
        let mut text = String::new();
        read_until(&mut seen, &mut text, |text| text.contains("next in 59m"));
        run.signal(signal);
        assert_eq!(run.end().status.signal(), Some(signal.as_raw()));
        read_until(&mut seen, &mut text, |_| false);
        assert_eq!(row(&text), "", "{text:?}");
    }
}

#[test]
fn a_wait_that_is_shown_can_be_stopped_and_goes_on() {
    let place = Place::new("shown-and-stopped");
    place.fill("sh", "1/h", 1);
    let (mut seen, drawn) = terminal();
    let mut run = place.run("--rate 1/h -- sh");
    // In a group of its own: the system stops none that has nobody to have it go on.
    let running = Running::new(run.env("TERM", "xterm").stderr(drawn).process_group(0));
    drop(run);
    let run = running;
    let mut text = String::new();
    read_until(&mut seen, &mut text, |text| text.contains("next in 59m"));
    for stop in [Signal::STOP, Signal::TSTP] {
        run.signal(stop);
        await_stopped(&run);
        run.signal(Signal::CONT);
        let drawn_before = text.len();
        read_until(&mut seen, &mut text, |text| text[drawn_before..].contains("next in 59m"));
    }
    run.signal(Signal::INT);
    assert_eq!(run.end().status.signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn quiet_shows_nothing() {
    let place = Place::new("quiet");
    place.fill("echo", "1/300ms", 1);
    let (mut seen, drawn) = terminal();
    let mut run = place.run("--rate 1/300ms --quiet -- echo ran");
    let ended = Running::new(run.env("TERM", "xterm").stderr(drawn)).end();
    drop(run);
    assert_eq!(ended.output, b"ran\n");
    let mut text = String::new();
    read_until(&mut seen, &mut text, |_| false);
    assert_eq!(text, "");
}

#[test]
fn a_job_in_the_background_draws_nothing_into_what_the_one_before_it_does() {
    let place = Place::new("background");
    place.fill("true", "1/300ms", 1);
    let (mut seen, drawn) = terminal();
    let mut setsid = Command::new("setsid");
    // Jobs of a shell that controls them are in groups of their own.
    let script = r#"set -m; "$@" & wait $!; echo "ended $?""#;
    alone(setsid.args(["--ctty", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_scupper"), "run", "--rate", "1/300ms"]));
    place.lead(setsid.args(["--", "true"]).env("TERM", "xterm"));
    let run = Running::new(setsid.stdin(drawn.try_clone().unwrap()).stdout(drawn.try_clone().unwrap()).stderr(drawn));
    drop(setsid);
    let mut text = String::new();
    read_until(&mut seen, &mut text, |_| false);
    assert_eq!(run.end().code(), Some(0));
    assert!(text.contains("ended 0") && !text.contains("next in"), "{text:?}");
}
