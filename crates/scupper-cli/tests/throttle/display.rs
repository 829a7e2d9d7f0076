//! Progress on a terminal: a pseudo-terminal here.

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use crate::common::terminal::{read_until, terminal};
use crate::support::{FAST, Folder, Running, throttle};

/// What is left in the row of the cursor.
fn row(text: &str) -> &str {
    text.rsplit("\x1b[2K").next().unwrap().rsplit('\n').next().unwrap()
}

#[test]
fn the_display_counts_down_and_an_interrupt_wipes_it() {
    let (mut seen, drawn) = terminal();
    let mut running = Running::new(throttle("--rate 2/h").env("TERM", "xterm").stderr(drawn));
    running.send("1\n2\n3\n");
    running.expect("1\n2\n");
    let mut text = String::new();
    // 60 minutes, or 59 and some seconds.
    read_until(&mut seen, &mut text, |text| text.contains("2 lines, 4 B") && text.contains("next in 59m"));
    assert!(!row(&text).trim().is_empty(), "{text:?}");
    running.signal(Signal::INT);
    assert_eq!(running.end().status.signal(), Some(Signal::INT.as_raw()));
    read_until(&mut seen, &mut text, |_| false);
    assert_eq!(row(&text).trim(), "", "{text:?}");
}

/// What is left on a terminal that gets both the lines and the display.
fn shared(args: &str, input: &str) -> Vec<String> {
    let (mut seen, drawn) = terminal();
    let mut command = throttle(args);
    let mut running = Running::new(command.env("TERM", "xterm").stdout(drawn.try_clone().unwrap()).stderr(drawn));
    drop(command);
    running.send(input);
    drop(running.stdin.take());
    assert_eq!(running.end().code(), Some(0));
    let mut text = String::new();
    read_until(&mut seen, &mut text, |_| false);
    assert!(text.contains("next in"), "{text:?}");
    text.split("\r\n").map(|written| row(written).trim_start_matches('\r').to_owned()).collect()
}

#[test]
fn lines_on_the_same_terminal_are_not_disturbed() {
    let left = shared("--rate 2/100ms", "one\ntwo\nthree\nfour\nfive\nsix");
    assert_eq!(left, ["one", "two", "three", "four", "five", "six"]);
}

#[test]
fn a_line_that_passes_in_pieces_is_not_disturbed() {
    let left = shared("--rate 4/100ms --weight-by bytes", "one\n0123456789\nend\n");
    assert_eq!(left, ["one", "0123456789", "end", ""]);
}

#[test]
fn a_line_without_newline_is_not_disturbed_by_the_wait_for_the_next() {
    let folder = Folder::new("display");
    let unended = folder.file("unended", "zero\none");
    let left = shared(&format!("--rate 1/200ms {unended} -"), " goes on\ntwo\n");
    assert_eq!(left, ["zero", "one goes on", "two", ""]);
}

#[test]
fn quiet_shows_nothing() {
    let (mut seen, drawn) = terminal();
    let mut command = throttle(&format!("{FAST} --quiet"));
    let mut running = Running::new(command.env("TERM", "xterm").stderr(drawn));
    drop(command);
    running.send("line\n");
    running.expect("line\n");
    drop(running.stdin.take());
    assert_eq!(running.end().code(), Some(0));
    let mut text = String::new();
    read_until(&mut seen, &mut text, |_| false);
    assert_eq!(text, "");
}

#[test]
fn a_command_has_the_terminal_to_itself() {
    let (mut seen, drawn) = terminal();
    let mut command = throttle(&format!("{FAST} -- echo"));
    let mut running = Running::new(command.env("TERM", "xterm").stderr(drawn));
    drop(command);
    running.send("1\n2\n");
    running.expect("1\n2\n");
    drop(running.stdin.take());
    assert_eq!(running.end().code(), Some(0));
    let mut text = String::new();
    read_until(&mut seen, &mut text, |_| false);
    assert_eq!(text, "");
}
