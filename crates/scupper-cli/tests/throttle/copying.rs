//! What goes in comes out, unchanged, line by line.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::thread;

use crate::support::{FAST, Folder, Running, run, throttle};

#[test]
fn bytes_are_copied_as_they_are_and_nothing_is_said() {
    let long = "long ".repeat(100_000);
    let inputs: [&[u8]; 9] = [
        b"",
        b"\n",
        b"\n\n\n",
        b"one\ntwo\n",
        b"no newline at the end",
        b"one\ntwo\nno newline at the end",
        b"dos\r\nold mac\rend\r\n",
        b"\xff\xfe not text \x80\n\xc3\n\0 NUL \0\0\n\0",
        long.as_bytes(),
    ];
    for weight_by in ["lines", "bytes"] {
        for algorithm in ["sliding-window-log", "fixed-window", "gcra", "token-bucket"] {
            for input in inputs {
                let ended = run(&format!("{FAST} --weight-by {weight_by} --algorithm {algorithm}"), input);
                assert!(ended.code() == Some(0) && ended.errors.is_empty(), "{ended:?}");
                assert!(ended.output == input, "{weight_by}: {:?}", String::from_utf8_lossy(input));
            }
        }
    }
}

#[test]
fn many_lines_are_copied_in_order() {
    let input: String = (0..100_000).flat_map(|number| [number.to_string(), "\n".into()]).collect();
    assert!(run(FAST, input.as_bytes()).output == input.as_bytes());
}

#[test]
fn a_consumer_sees_each_line_at_once() {
    let mut running = Running::new(&mut throttle(FAST));
    for line in ["a\n", "\n", "long enough\n"] {
        running.send(line);
        running.expect(line);
    }
    drop(running.stdin.take());
    assert_eq!(running.end().code(), Some(0));
}

#[test]
fn files_are_copied_one_after_another_and_a_dash_is_stdin() {
    let folder = Folder::new("several");
    let (first, last) = (folder.file("first", "1\n2"), folder.file("last", "4\n"));
    let ended = run(&format!("{FAST} {first} - {last} -"), "3\n");
    assert_eq!((ended.code(), ended.output, ended.errors), (Some(0), b"1\n23\n4\n".to_vec(), String::new()));
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_others_are_copied() {
    let folder = Folder::new("missing");
    let (there, directory) = (folder.file("there", "here\n"), folder.path().display());
    let ended = run(&format!("{FAST} {directory}/absent {directory} {there}"), "");
    assert_eq!((ended.code(), ended.output), (Some(1), b"here\n".to_vec()));
    let expected =
        format!("scupper: {directory}/absent: No such file or directory\nscupper: {directory}: Is a directory\n");
    assert_eq!(ended.errors, expected);
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut running = Running::new(throttle(FAST).stdout(full));
    running.send("line\n");
    let ended = running.end();
    assert_eq!(ended.code(), Some(1));
    assert_eq!(ended.errors, "scupper: cannot write to stdout: No space left on device\n");
}

#[test]
fn a_huge_line_takes_little_memory() {
    const CHUNK: usize = 1 << 20;
    const CHUNKS: usize = 64;
    for weight_by in ["lines", "bytes"] {
        let mut running = Running::new(&mut throttle(&format!("{FAST} --weight-by {weight_by}")));
        let mut stdin = running.stdin.take().unwrap();
        let writing = thread::spawn(move || {
            for _ in 0..CHUNKS {
                stdin.write_all(&vec![b'x'; CHUNK]).unwrap();
            }
            stdin
        });
        let mut chunk = vec![0; CHUNK];
        for _ in 0..CHUNKS {
            running.stdout.as_mut().unwrap().read_exact(&mut chunk).unwrap();
            assert!(chunk.iter().all(|byte| *byte == b'x'));
        }
        let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 32 * 1024, "{kib} KiB by {weight_by}");
        drop(writing.join().unwrap());
        let ended = running.end();
        assert!(ended.code() == Some(0) && ended.output.is_empty(), "{:?}", ended.status);
    }
}
