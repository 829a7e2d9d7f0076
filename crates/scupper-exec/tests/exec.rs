//! What another program finds that this one became.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::env;
use std::io::ErrorKind;
use std::process::{Command, Output};

use scupper_exec::{Held, exec};

/// Set where this program is to become another one.
const BECOMES: &str = "SCUPPER_TEST_BECOMES";
/// The test that does so, run by itself.
const NAME: &str = "it_becomes_what_it_is_told";

#[test]
fn it_becomes_what_it_is_told() {
    let Ok(program) = env::var(BECOMES) else { return };
    let mut words = program.split(' ');
    let held = Held::hold(&[libc::SIGINT, libc::SIGHUP]).unwrap();
    // Of another thread than the one that has them held back.
    std::thread::spawn(|| ()).join().unwrap();
    if env::var_os("SCUPPER_TEST_LETS_THROUGH").is_some() {
        drop(held);
    }
    panic!("{}", exec(Command::new(words.next().unwrap()).args(words)));
}

/// Has a shell do this and run the test that becomes this program.
fn became(setup: &str, program: &str, lets_through: bool) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"{setup}; exec "$@""#), "sh"]).arg(env::current_exe().unwrap());
    shell.args(["--exact", NAME, "--nocapture", "--quiet"]).env(BECOMES, program);
    if lets_through {
        shell.env("SCUPPER_TEST_LETS_THROUGH", "");
    }
    shell.output().unwrap()
}

/// The line of a signal set, in base 16: bit 0 is signal 1.
fn signals(status: &Output, name: &str) -> u64 {
    let text = String::from_utf8_lossy(&status.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

const STATUS: &str = "cat /proc/self/status";

#[test]
fn sigpipe_is_as_it_was_given() {
    assert_eq!(signals(&became(":", STATUS, true), "SigIgn") & bit(libc::SIGPIPE), 0);
    assert_ne!(signals(&became(r#"trap "" PIPE"#, STATUS, true), "SigIgn") & bit(libc::SIGPIPE), 0);
}

#[test]
fn held_signals_are_let_through_or_handed_on() {
    assert_eq!(signals(&became(":", STATUS, true), "SigBlk"), 0);
    assert_eq!(signals(&became(":", STATUS, false), "SigBlk"), bit(libc::SIGINT) | bit(libc::SIGHUP));
    // One that is ignored is left alone.
    assert_eq!(signals(&became(r#"trap "" HUP"#, STATUS, false), "SigBlk"), bit(libc::SIGINT));
}

#[test]
fn standard_descriptors_that_were_closed_are_closed() {
    let closed = |setup| {
        let ended = became(setup, "ls /proc/self/fd", true);
        // The first number that is free is that of the folder that it lists.
        let numbers = String::from_utf8(ended.stdout).unwrap();
        numbers.lines().filter_map(|line| line.parse::<u32>().ok()).collect::<Vec<_>>()
    };
    let open = closed(":");
    assert!((0..=3).all(|number| open.contains(&number)), "{open:?}");
    assert_eq!(closed("exec <&-").len(), open.len() - 1);
    assert_eq!(closed("exec <&- 2>&-").len(), open.len() - 2);
}

#[test]
fn a_program_that_cannot_be_run_leaves_everything_as_it_was() {
    let error = exec(&mut Command::new("/no/such/program"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Were it not ignored any more, this would end the test.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let written = std::io::Write::write(&mut &writer, b"x");
    assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe);
}
