//! Progress on a terminal: a pseudo-terminal here.

use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{FAST, Folder, Running, throttle};

/// Both ends of a terminal of 80 columns: what a user would see can be read from the first.
fn terminal() -> (File, File) {
    let seen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&seen).unwrap();
    unlockpt(&seen).unwrap();
    tcsetwinsize(&seen, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let path = ptsname(&seen, Vec::new()).unwrap();
    let drawn = File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    (File::from(seen), drawn)
}

/// Reads on until the text ends like that, or to the end.
fn read_until(seen: &mut File, text: &mut String, done: impl Fn(&str) -> bool) {
    let mut bytes = [0; 1024];
    while !done(text) {
        // The end of a pseudo-terminal is an error.
        let Ok(count @ 1..) = seen.read(&mut bytes) else { return };
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

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
