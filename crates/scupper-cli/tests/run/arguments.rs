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
}

#[test]
fn a_command_without_the_dashes_before_it_is_told_to_write_them() {
    refused("--rate 5/s true", &["'true'", "tip: write -- before the command: -- true", "Usage: scupper run"]);
    refused("--rate 5/s ./true -x --y", &["tip: write -- before the command: -- ./true"]);
    let ended = ended(&mut scupper("--rate 5/s --unknown -- true"));
    assert!(!ended.errors.contains("before the command"), "{}", ended.errors);
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
fn a_key_or_store_of_nothing_is_named_by_what_gave_it() {
    for (option, variable) in [("--key", "SCUPPER_KEY"), ("--store", "SCUPPER_STORE")] {
        refused(&format!("--rate 5/s {option}= -- true"), &[&format!("{option} is empty"), "Usage: scupper run"]);
        let given = ended(scupper("--rate 5/s -- true").env(variable, ""));
        assert_eq!(
            (given.code(), given.errors.contains(&format!("{variable} is empty"))),
            (Some(2), true),
            "{given:?}"
        );
        assert!(!given.errors.contains(&format!("{option} is")), "{given:?}");
    }
}

#[test]
fn a_store_in_the_environment_that_is_none_is_named_by_its_variable() {
    for url in ["nowhere", "memory:"] {
        let ended = ended(scupper("--rate 5/s -- true").env("SCUPPER_STORE", url));
        assert_eq!(ended.code(), Some(2));
        assert!(ended.errors.contains("SCUPPER_STORE: ") && !ended.errors.contains("--store:"), "{ended:?}");
    }
}

#[test]
fn a_store_that_would_limit_nobody_or_is_none() {
    refused(
        "--rate 5/s --store memory: -- true",
        &["gone when COMMAND begins", "leave --store out", "Usage: scupper run"],
    );
    refused("--rate 5/s --store nowhere -- true", &["--store: the URL of the store has no ':'"]);
    refused("--rate 5/s --store redis://user:secret@host:port -- true", &["the port of the host"]);
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
        "share the key sh",
        "Always name one where COMMAND is a shell",
        "XDG_STATE_HOME",
        "A relative XDG_STATE_HOME is ignored",
        "--quiet",
        "SCUPPER_KEY",
        "SCUPPER_STORE",
    ] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
    let short = help("-h");
    for words in ["--key", "default: the name of COMMAND", "share the key sh"] {
        assert!(short.contains(words), "{words:?} in {short}");
    }
}

/// With a single space wherever it has room, or breaks a line.
fn help(option: &str) -> String {
    let text = String::from_utf8(ended(&mut scupper(option)).output).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
