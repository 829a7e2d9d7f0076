//! Signals, descriptors, limits: what a shell's exec hands to a command, `scupper run` hands on.

use std::fs;
use std::process::Command;

use crate::support::{FAST, Folder, Place, alone, ended};

/// What COMMAND finds if a shell does this and then runs it, at once or by `scupper run`: the text of a file that it writes, as
/// there may be nowhere else for it to go.
fn found(setup: &str, report: &str, by_scupper: Option<&Place>) -> String {
    let folder = Folder::new("report");
    let file = folder.path().join("report");
    let mut shell = Command::new("sh");
    alone(shell.args(["-c", &format!(r#"{setup}; exec "$@""#), "sh"]));
    if let Some(place) = by_scupper {
        place.lead(&mut shell);
        shell.arg(env!("CARGO_BIN_EXE_scupper")).arg("run").args(FAST.split(' ')).arg("--");
    }
    let ended = ended(shell.env("REPORT", &file).args(["sh", "-c", report]));
    assert_eq!(ended.code(), Some(0), "{setup}: {ended:?}");
    fs::read_to_string(&file).unwrap()
}

/// Checks that it is the same with and without; gives it.
fn same(test: &str, setup: &str, report: &str) -> String {
    let with = found(setup, report, Some(&Place::new(test)));
    assert_eq!(with, found(setup, report, None), "{setup}");
    with
}

/// Checks that it is the same with and without, but for the two signals that are the threads' library's own: programs cannot ask
/// about them, and what a parent did about them ends with the first thread.
fn same_signals(test: &str, setup: &str) -> Vec<u64> {
    let of_threads = 1 << 31 | 1 << 32;
    let numbers = |report: String| -> Vec<u64> { SIGNALS.map(|name| number(&report, name) & !of_threads).into() };
    let with = numbers(found(setup, STATUS, Some(&Place::new(test))));
    assert_eq!(with, numbers(found(setup, STATUS, None)), "{setup}");
    with
}

/// Of a program that is no shell: shells change what they do about signals.
const STATUS: &str = r#"exec cat /proc/self/status >"$REPORT""#;
/// Those that came and wait, for the thread and for the process; those that are held back; those that are ignored.
const SIGNALS: [&str; 4] = ["SigPnd", "ShdPnd", "SigBlk", "SigIgn"];
/// Of the shell, whatever its own output is.
const DESCRIPTORS: &str = r#"ls /proc/$$/fd >"$REPORT""#;

/// What follows after a name, in base 16: bit 0 is signal 1.
fn number(report: &str, name: &str) -> u64 {
    let line = report.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

#[test]
fn signals_are_left_at_their_defaults() {
    let [_, _, blocked, ignored] = same_signals("default", ":")[..] else { unreachable!("four") };
    assert_eq!((blocked, ignored & bit(libc::SIGPIPE)), (0, 0));
}

#[test]
fn signals_that_were_ignored_are_ignored_sigpipe_too() {
    let ignored = same_signals("ignored", r#"trap "" PIPE HUP INT TERM QUIT USR1 TSTP CHLD"#)[3];
    assert_ne!(ignored & bit(libc::SIGPIPE), 0);
    let ignored = same_signals("nohup", r#"set -- nohup "$@""#)[3];
    assert_ne!(ignored & bit(libc::SIGHUP), 0);
}

#[test]
fn signals_that_were_blocked_are_blocked() {
    for blocked in ["INT", "TERM", "PIPE", "USR1", "INT --block-signal=CHLD --block-signal=HUP"] {
        assert_ne!(same_signals("blocked", &format!(r#"set -- env --block-signal={blocked} "$@""#))[2], 0);
    }
}

#[test]
fn a_signal_that_waits_behind_a_mask_waits_on_and_ends_nothing() {
    // One that came before, to the process itself.
    let setup = r#"set -- env --block-signal=INT sh -c 'kill -INT $$; exec "$@"' sh "$@""#;
    assert_eq!(same_signals("waits", setup)[1], bit(libc::SIGINT));
}

#[test]
fn descriptors_that_were_closed_stay_closed_and_those_that_were_open_stay_open() {
    for setup in
        [":", "exec <&-", "exec >&-", "exec 2>&-", "exec <&- >&- 2>&-", "exec 7</dev/null", "exec <&- 8>/dev/null"]
    {
        same("descriptors", setup, DESCRIPTORS);
    }
}

#[test]
fn limits_mask_of_files_and_priority_are_passed() {
    let setup = "ulimit -n 100; ulimit -c 0; umask 027; set -- nice -n 3 \"$@\"";
    let report = same("limits", setup, r#"{ ulimit -a; umask; nice; } >"$REPORT""#);
    assert!(report.contains("0027"), "{report}");
}

#[test]
fn a_pipe_that_nobody_reads_ends_the_command_or_not_as_the_shell_would_have_it() {
    let place = Place::new("pipe");
    let status = |trap: &str, by: &str| {
        // The reader is gone before anything is written.
        let script = format!(
            "{{ read _; ({trap} exec {by} sh -c 'while :; do echo x || exit 9; done' 2>/dev/null); echo $? >&2; }} | :"
        );
        let mut shell = Command::new("sh");
        alone(shell.args(["-c", &format!("{{ {script}; }} <<E\n\nE")]));
        place.lead(&mut shell);
        ended(&mut shell).errors
    };
    let by = format!("{} run {FAST} --", env!("CARGO_BIN_EXE_scupper"));
    for trap in ["", r#"trap "" PIPE;"#] {
        assert_eq!(status(trap, &by), status(trap, ""), "{trap}");
    }
}
