//! Arguments that make no sense end it with status 2 and a message that says what would be right.

use crate::support::{ended, scupper};

fn refused(args: &str, says: &[&str]) {
    let ended = ended(&mut scupper(args));
    assert_eq!(ended.code(), Some(2), "{args}: {ended:?}");
    assert!(ended.output.is_empty(), "{args}: {ended:?}");
    assert!(ended.errors.starts_with("error: "), "{args}: {}", ended.errors);
    for words in says {
        assert!(ended.errors.contains(words), "{args}: no {words:?} in {}", ended.errors);
    }
}

#[test]
fn a_rate_and_a_command_are_needed() {
    refused("-- true", &["--rate <RATE>", "Usage: scupper run"]);
    refused("--rate 5/s", &["<COMMAND>", "Usage: scupper run"]);
    refused("--rate 5/s --", &["<COMMAND>"]);
    refused("--rate 5/s true", &["'true'", "Usage: scupper run"]);
}

#[test]
fn rates_that_cannot_be() {
    refused("--rate 5 -- true", &["'5'", "for example 5/s"]);
    refused("--rate 5/s --rate 6/s -- true", &["the same interval", "Usage: scupper run"]);
    refused("--rate 5/s --burst 9 -- true", &["sliding-window-log does not know", "use gcra"]);
    refused("--rate 5/s --algorithm guess -- true", &["sliding-window-log, fixed-window, gcra, token-bucket"]);
}

#[test]
fn a_weight_that_cannot_be() {
    for weight in ["0", "-1", "many", "1000000000001"] {
        refused(
            &format!("--rate 5/s --weight={weight} -- true"),
            &[&format!("'{weight}'"), "a whole number from 1 to 1"],
        );
    }
}

#[test]
fn a_timeout_that_cannot_be() {
    for timeout in ["", "10", "s", "-1s", "1.5s", "10s+5", "4000d", "soon"] {
        refused(&format!("--rate 5/s --timeout={timeout} -- true"), &["--timeout <TIME>", "500ms, 10s, 2min"]);
    }
}

#[test]
fn a_key_of_nothing() {
    refused("--rate 5/s --key= -- true", &["--key <NAME>"]);
}

#[test]
fn a_store_that_would_limit_nobody_or_is_none() {
    refused(
        "--rate 5/s --store memory: -- true",
        &["gone when COMMAND begins", "leave --store out", "Usage: scupper run"],
    );
    refused("--rate 5/s --store nowhere -- true", &["--store: the URL of the store has no ':'"]);
    refused("--rate 5/s --store redis://user:secret@host:port -- true", &["the port of the host"]);
    refused("--rate 5/s --store= -- true", &["is empty"]);
}

#[test]
fn help_tells_the_exit_statuses_the_key_and_the_default_store() {
    let text = help("--help");
    for words in [
        "Exit status:",
        " 2 the arguments",
        " 123 the rates never",
        " 124 the timeout",
        " 125 the store failed",
        " 126 COMMAND cannot be run",
        " 127 COMMAND was not found",
        "SIGKILL",
        "--key",
        "default: the name of COMMAND",
        "XDG_STATE_HOME",
        "SCUPPER_KEY",
        "SCUPPER_STORE",
    ] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
    let short = help("-h");
    assert!(short.contains("--key") && short.contains("default: the name of COMMAND"), "{short}");
}

/// With a single space wherever it has room, or breaks a line.
fn help(option: &str) -> String {
    let text = String::from_utf8(ended(&mut scupper(option)).output).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
