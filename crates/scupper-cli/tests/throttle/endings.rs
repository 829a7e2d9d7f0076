//! Interrupts and closed pipes: it dies by the signal, quietly, and never hangs.

use std::io::{Write, pipe};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::pipe::fcntl_setpipe_size;
use rustix::process::Signal;

use crate::support::{Ended, FAST, Running, feed, throttle};

fn died_quietly_by(signal: Signal, ended: &Ended) {
    assert_eq!(ended.status.signal(), Some(signal.as_raw()), "{ended:?}");
    assert!(ended.errors.is_empty(), "{ended:?}");
}

#[test]
fn a_closed_pipe_ends_it_by_sigpipe() {
    let mut running = Running::new(&mut throttle(FAST));
    feed(&mut running, b"line\n".repeat(1_000_000));
    running.expect("line\nline\nline\n");
    drop(running.stdout.take());
    died_quietly_by(Signal::PIPE, &running.end());
}

#[test]
fn a_shell_sees_the_closed_pipe_as_status_141() {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"(seq 1000000 | "$0" throttle --rate 1000000000/s; echo $? >&2) | head -3"#]);
    shell.arg(env!("CARGO_BIN_EXE_scupper")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = Running::new(&mut shell).end();
    assert_eq!((ended.output, ended.errors), (b"1\n2\n3\n".to_vec(), "141\n".into()));
}

#[test]
fn a_pipe_that_is_closed_while_a_line_waits_ends_it_at_once() {
    let mut running = Running::new(&mut throttle("--rate 1/h"));
    running.send("first\nsecond\n");
    running.expect("first\n");
    drop(running.stdout.take());
    died_quietly_by(Signal::PIPE, &running.end());
}

#[test]
fn a_reader_that_has_seen_everything_may_go() {
    let mut running = Running::new(&mut throttle("--rate 1/h"));
    running.send("only\n");
    running.expect("only\n");
    drop(running.stdout.take());
    drop(running.stdin.take());
    assert_eq!(running.end().code(), Some(0));
}

#[test]
fn a_signal_while_a_line_waits_ends_it_at_once() {
    for signal in [Signal::INT, Signal::TERM] {
        for weight_by in ["lines", "bytes"] {
            let mut running = Running::new(&mut throttle(&format!("--rate 6/h --weight-by {weight_by}")));
            running.send("first\nsecond\nthird\nfourth\nfifth\nsixth\nseventh\n");
            running.expect("first\n");
            running.signal(signal);
            let ended = running.end();
            died_quietly_by(signal, &ended);
            assert!(ended.output.is_empty() || ended.output.ends_with(b"\n"), "a line was cut: {ended:?}");
        }
    }
}

#[test]
fn a_signal_while_it_reads_ends_it_at_once() {
    let mut running = Running::new(&mut throttle(FAST));
    running.send("whole\nhalf");
    running.expect("whole\n");
    running.signal(Signal::INT);
    let ended = running.end();
    died_quietly_by(Signal::INT, &ended);
    assert!(ended.output.is_empty(), "{ended:?}");
}

#[test]
fn a_signal_while_the_output_is_a_full_pipe_ends_it() {
    let (unread, mut output) = pipe().unwrap();
    let size = fcntl_setpipe_size(&output, 4096).unwrap();
    output.write_all(&vec![b'x'; size]).unwrap();

    let mut running = Running::new(throttle(FAST).stdout(output));
    let room = fcntl_setpipe_size(running.stdin.as_ref().unwrap(), 4096).unwrap();
    // More than its pipe holds: once that is written, the command has been reading, and can only be stuck in writing.
    running.send(&"x\n".repeat(room * 3 / 4));
    running.signal(Signal::INT);
    died_quietly_by(Signal::INT, &running.end());
    drop(unread);
}

#[test]
fn an_interrupt_that_was_ignored_from_the_start_stays_ignored() {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" INT; exec "$0" throttle --rate 1000000000/s"#]);
    shell.arg(env!("CARGO_BIN_EXE_scupper"));
    let mut running = Running::new(shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    running.send("before\n");
    running.expect("before\n");
    running.signal(Signal::INT);
    running.send("after\n");
    running.expect("after\n");
    drop(running.stdin.take());
    assert_eq!(running.end().code(), Some(0));
}
