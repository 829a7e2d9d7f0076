//! Bad arguments: status 2, nothing copied, and a message that says what would be right.

use crate::support::run;

fn refused(args: &str, says: &[&str]) {
    let ended = run(args, "line\n");
    assert_eq!(ended.code(), Some(2), "{args}: {ended:?}");
    assert!(ended.output.is_empty(), "{args}: {ended:?}");
    assert!(ended.errors.starts_with("error: "), "{args}: {}", ended.errors);
    for words in says {
        assert!(ended.errors.contains(words), "{args}: no {words:?} in {}", ended.errors);
    }
}

#[test]
fn at_least_one_rate_is_needed() {
    refused("", &["--rate <RATE>", "Usage: scupper throttle"]);
}

#[test]
fn a_rate_of_unknown_syntax() {
    refused("--rate 5", &["'5'", "--rate <RATE>", "for example 5/s, 5/2s, 100/min"]);
    refused("--rate five/s", &["'five/s'", "not a whole number", "for example 5/s"]);
    refused("--rate 5/fortnight", &["unit of time (us, ms, s, min, h, d, w)"]);
    refused("--rate 5/s+", &["no burst", "5/s+10"]);
}

#[test]
fn a_rate_out_of_range() {
    refused("--rate 0/s", &["the limit is 0", "at least 1 and at most 1000000000000"]);
    refused("--rate 5/0s", &["at least 1 µs and at most 3660 days"]);
    refused("--rate 99999999999999999999999/s", &["at most 1000000000000"]);
    refused("--rate 5/99999999999999999999999w", &["at most 3660 days"]);
}

#[test]
fn rates_that_do_not_go_together() {
    refused("--rate 1000/h --rate 5/s", &["1000/h followed by 5/s", "in order of their interval"]);
    refused("--rate 5/s --rate 6/s", &["the same interval", "keep the stricter one"]);
    refused("--rate 5/s --rate 5/min", &["drop it"]);
    refused("--rate 5/s --rate 301/min", &["drop it or lower its limit", "Usage: scupper throttle"]);
}

#[test]
fn a_burst_that_cannot_be() {
    refused("--rate 5/s --burst 9", &["sliding-window-log does not know", "use gcra"]);
    refused("--rate 5/s+9 --algorithm fixed-window", &["fixed-window does not know", "use gcra"]);
    refused("--rate 5/s+9 --burst 8 --algorithm gcra", &["a burst already", "not both"]);
    for burst in ["0", "many", "1000000000001", "99999999999999999999999"] {
        let args = format!("--rate 5/s --algorithm gcra --burst {burst}");
        refused(&args, &[&format!("'{burst}'"), "a whole number from 1 to 1000000000000"]);
    }
    refused("--rate 1/3660d --algorithm gcra --burst 2", &["a burst of at most 1 would do"]);
}

#[test]
fn other_options() {
    refused("--rate 5/s --algorithm guess", &["sliding-window-log, fixed-window, gcra, token-bucket"]);
    refused("--rate 5/s --weight-by words", &["lines, bytes"]);
    refused("--rate 5/s --wat", &["--wat"]);
}

#[test]
fn jobs_without_a_command_or_out_of_range() {
    refused("--rate 5/s --jobs 2", &["--jobs is for running a command", "write -- COMMAND", "Usage: scupper throttle"]);
    refused("--rate 5/s --jobs 2 --", &["--jobs is for running a command"]);
    for jobs in ["0", "-1", "many", "1025", "99999999999999999999999"] {
        refused(&format!("--rate 5/s --jobs={jobs} -- echo"), &[&format!("'{jobs}'"), "a whole number from 1 to 1024"]);
    }
}

#[test]
fn a_command_that_is_weighed_by_bytes() {
    refused("--rate 5/s --weight-by bytes -- echo", &["--weight-by bytes is for copying", "leave it out"]);
}

#[test]
fn a_burst_goes_to_the_first_of_several_rates() {
    // Were it the second, it could only be reached once an hour.
    let ended = run("--rate 1/h --rate 20/w --algorithm token-bucket --burst 3", "1\n2\n3\n");
    assert_eq!((ended.code(), ended.output), (Some(0), b"1\n2\n3\n".to_vec()));
}

#[test]
fn help_tells_the_exit_statuses() {
    let ended = run("--help", "");
    let text = String::from_utf8(ended.output).unwrap();
    for status in [
        "Exit status:",
        "  0  ",
        "  1  ",
        "  2  ",
        "  123  ",
        "  124  ",
        "  125  ",
        "  126  ",
        "  127  ",
        "  130  ",
        "  141  ",
    ] {
        assert!(text.contains(status), "{status:?} in {text}");
    }
}
