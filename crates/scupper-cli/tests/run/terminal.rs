//! On a terminal.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use rustix::process::Signal;

use crate::common::terminal::{read_until, terminal};
use crate::support::{Place, Running, alone, await_waiting};

/// A session of its own on this terminal, whose leader becomes `scupper run` and then a shell with this script.
fn session(place: &Place, args: &str, script: &str, drawn: File) -> Running {
    let mut setsid = Command::new("setsid");
    alone(setsid.args(["--ctty", env!("CARGO_BIN_EXE_scupper"), "run"]).args(args.split(' ')));
    setsid.args(["--", "sh", "-c", script]);
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
