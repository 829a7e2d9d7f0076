//! A command for each line: what it gets, what it leaves alone, and how many run at once.

use std::process::Command;

use crate::support::{Ended, FAST, Folder, Gate, Running, feed, throttle};

/// `scupper throttle ARGS -- sh -c SCRIPT sh`, where the line is `$1`.
pub(crate) fn shell(args: &str, script: &str) -> Command {
    let mut command = throttle(args);
    command.args(["--", "sh", "-c", script, "sh"]);
    command
}

pub(crate) fn ended(command: &mut Command, input: impl Into<Vec<u8>>) -> Ended {
    let mut running = Running::new(command);
    feed(&mut running, input.into());
    running.end()
}

fn ran_well(args: &str, script: &str, input: &[u8]) -> Vec<u8> {
    let ended = ended(&mut shell(args, script), input);
    assert!(ended.code() == Some(0) && ended.errors.is_empty(), "{ended:?}");
    ended.output
}

#[test]
fn a_line_is_the_last_argument_of_a_run_in_order() {
    let mut command = throttle(FAST);
    let ended = ended(command.args(["--", "echo", "--rate", "a b"]), "1\n2 3\n -- \n'4'\n");
    assert_eq!(ended.code(), Some(0));
    assert_eq!(
        String::from_utf8(ended.output).unwrap(),
        "--rate a b 1\n--rate a b 2 3\n--rate a b  -- \n--rate a b '4'\n"
    );
}

#[test]
fn bytes_pass_as_they_are_and_an_empty_line_is_an_empty_argument() {
    let script = r#"printf '%s:%s\n' "$#" "$1""#;
    assert_eq!(ran_well(FAST, script, b""), b"");
    assert_eq!(ran_well(FAST, script, b"\n"), b"1:\n");
    let input = b"a\n\n\n\xff\xfe\t\x80\r\n*\nno newline at the end";
    let output = b"1:a\n1:\n1:\n1:\xff\xfe\t\x80\r\n1:*\n1:no newline at the end\n";
    assert_eq!(ran_well(FAST, script, input), output);
}

#[test]
fn stdin_is_not_eaten() {
    assert_eq!(ran_well(FAST, r#"cat; echo "$1""#, b"1\n2\n3\n"), b"1\n2\n3\n");
}

#[test]
fn what_a_run_writes_is_not_touched() {
    let script = r#"printf '\377\000%s' "$1"; printf '!%s' "$1" >&2"#;
    let ended = ended(&mut shell(FAST, script), "1\n2\n");
    assert_eq!((ended.code(), ended.output), (Some(0), b"\xff\x001\xff\x002".to_vec()));
    assert_eq!(ended.errors, "!1!2");
}

#[test]
fn files_are_read_one_after_another_and_the_end_of_one_ends_its_line() {
    let folder = Folder::new("jobs");
    let (first, last) = (folder.file("first", "1\n2"), folder.file("last", "4\n"));
    let absent = format!("{}/absent", folder.path().display());
    let ended = ended(&mut shell(&format!("{FAST} {first} {absent} - {last}"), r#"echo "$1""#), "3");
    assert_eq!((ended.code(), ended.output), (Some(1), b"1\n2\n3\n4\n".to_vec()));
    assert_eq!(ended.errors, format!("scupper: {absent}: No such file or directory\n"));
}

#[test]
fn a_line_with_a_nul_is_named_and_the_others_run() {
    let folder = Folder::new("nul");
    let file = folder.file("lines", "a\0b\n5\n");
    let ended = ended(&mut shell(&format!("{FAST} - {file}"), r#"echo "$1""#), b"1\n\0\n3\n");
    assert_eq!((ended.code(), ended.output), (Some(1), b"1\n3\n5\n".to_vec()));
    let refusal = "an argument cannot have a NUL byte in it";
    assert_eq!(ended.errors, format!("scupper: stdin: line 2: {refusal}\nscupper: {file}: line 1: {refusal}\n"));
}

#[test]
fn a_huge_line_is_named_takes_little_memory_and_the_others_run() {
    let input = [b"1\n", vec![b'x'; 64 << 20].as_slice(), b"\n3\n"].concat();
    let ended = ended(&mut shell(FAST, r#"echo "$1 $(grep VmHWM "/proc/$PPID/status")""#), input);
    assert_eq!(ended.code(), Some(1), "{}", ended.errors);
    assert_eq!(ended.errors, "scupper: stdin: line 2: an argument cannot be longer than 131071 bytes\n");
    let output = String::from_utf8(ended.output).unwrap();
    let lines: Vec<Vec<&str>> = output.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.iter().map(|line| line[0]).collect::<Vec<_>>(), ["1", "3"]);
    let kib: u64 = lines[1][2].parse().unwrap();
    assert!(kib < 32 * 1024, "{kib} KiB");
}

#[test]
fn the_longest_line_that_linux_takes_is_taken() {
    for (length, code) in [(128 * 1024 - 1, 0), (128 * 1024, 1)] {
        let ended = ended(&mut shell(FAST, r#"echo "${#1}""#), vec![b'x'; length]);
        assert_eq!(ended.code(), Some(code), "{}", ended.errors);
        assert_eq!(ended.output, if code == 0 { format!("{length}\n").into_bytes() } else { Vec::new() });
    }
}

#[test]
fn a_line_that_is_too_long_together_with_the_rest_is_named_and_the_others_run() {
    // With little stack, Linux takes no more than 128 KiB of arguments and environment.
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"ulimit -S -s 256 && exec "$0" throttle --rate 1000000000/s -- echo"#]);
    limited.arg(env!("CARGO_BIN_EXE_scupper")).stdin(std::process::Stdio::piped());
    limited.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let input = [b"1\n", vec![b'x'; 128 * 1024 - 100].as_slice(), b"\n3\n"].concat();
    let ended = ended(&mut limited, input);
    assert_eq!((ended.code(), ended.output), (Some(1), b"1\n3\n".to_vec()));
    assert_eq!(ended.errors, "scupper: stdin: line 2: echo: Argument list too long\n");
}

/// Each run says how many have not yet ended, and ends once the gate lets it through.
fn says_how_many_run(args: &str, most: usize) {
    let folder = Folder::new(&format!("jobs-{most}"));
    let slots = folder.path().join("slots");
    std::fs::create_dir(&slots).unwrap();
    let gate = Gate::new(&folder);
    let script = r#"mkdir "$SLOTS/$1"; set -- "$1" "$SLOTS"/*; echo $(($# - 1)); read _ <"$GATE"; rmdir "$SLOTS/$1""#;
    let mut running = Running::new(shell(args, script).env("SLOTS", &slots).env("GATE", gate.path()));
    feed(&mut running, (1..=9).flat_map(|line| [line.to_string(), "\n".into()]).collect::<String>().into_bytes());
    for started in 1..=9 {
        if started > most {
            gate.let_one_through();
        }
        let count: usize = running.read_line().trim().parse().unwrap();
        assert!(count <= most, "{count} at once, not {most}");
        assert!(count == most || started < most || most > 1, "{count} at once");
    }
    (0..most).for_each(|_| gate.let_one_through());
    let ended = running.end();
    assert!(ended.code() == Some(0) && ended.output.is_empty() && ended.errors.is_empty(), "{ended:?}");
}

#[test]
fn as_many_run_at_once_as_there_are_jobs_and_no_more() {
    says_how_many_run(FAST, 1);
    says_how_many_run(&format!("{FAST} --jobs 1"), 1);
    says_how_many_run(&format!("{FAST} --jobs 3"), 3);
}

#[test]
fn many_jobs_are_all_waited_for() {
    let input: String = (1..=300).flat_map(|line| [line.to_string(), "\n".into()]).collect();
    let output = String::from_utf8(ran_well(&format!("{FAST} --jobs 1024"), r#"echo "$1""#, input.as_bytes())).unwrap();
    let mut numbers: Vec<u32> = output.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=300).collect::<Vec<_>>());
}
