//! A file that another process has in the middle of a transaction.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::support::{Ended, Place, Running, await_waiting, ended, scupper};

/// Has the file until it is dropped.
struct Another(Connection);

impl Another {
    fn has(place: &Place) -> Self {
        let connection = Connection::open(place.url().strip_prefix("sqlite:").unwrap()).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(connection)
    }
}

impl Drop for Another {
    fn drop(&mut self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// Longer than a run takes to begin, on a machine that has much else to do.
const RATE: &str = "1/3s";

/// A run that has its file open, and waits for its turn.
fn waiting(place: &Place, args: &str) -> Running {
    place.fill("echo", RATE, 1);
    let run = Running::new(place.run(&format!("--rate {RATE} {args}")).args(["--", "echo", "ran"]));
    await_waiting(&run);
    run
}

fn ran(ended: &Ended) {
    assert_eq!((ended.code(), ended.output.as_slice()), (Some(0), b"ran\n".as_slice()), "{ended:?}");
}

#[test]
fn it_is_waited_for_as_long_as_it_takes_and_that_is_said_once() {
    for place in [Place::of_state("busy-opening"), Place::of_file("busy-opening-named")] {
        place.fill("other", "1/h", 1);
        let another = Another::has(&place);
        let mut run = Running::new(place.run("--rate 5/h").args(["--", "echo", "ran"]));
        let said = run.read_error();
        for words in ["scupper: store unavailable: another process has", "nothing was taken", "asked again"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        drop(another);
        let ended = run.end();
        ran(&ended);
        assert_eq!((ended.errors.as_str(), place.used("echo")), ("", 1));
    }
}

#[test]
fn it_is_waited_for_where_it_gets_busy_after_it_was_opened() {
    let place = Place::of_state("busy-later");
    let mut run = waiting(&place, "");
    let another = Another::has(&place);
    assert!(run.read_error().contains("another process has the file"));
    drop(another);
    ran(&run.end());
}

#[test]
fn a_url_that_waits_longer_than_a_call_takes_leaves_nothing_unknown() {
    let place = Place::of_file("busy-patient");
    place.fill("echo", RATE, 1);
    let patient = format!("{}?timeout=3600s", place.url());
    let mut run = Running::new(scupper(&format!("--rate {RATE} -- echo ran")).env("SCUPPER_STORE", patient));
    await_waiting(&run);
    let another = Another::has(&place);
    let said = run.read_error();
    assert!(said.starts_with("scupper: store unavailable: ") && said.contains("asked again"), "{said}");
    drop(another);
    ran(&run.end());
}

#[test]
fn it_is_124_once_there_is_no_time_to_ask_again_and_nothing_is_taken() {
    const TIMEOUT: Duration = Duration::from_secs(8);
    let place = Place::of_state("busy-for-long");
    let start = Instant::now();
    let run = waiting(&place, "--timeout 8s");
    let another = Another::has(&place);
    let late = run.end();
    let took = start.elapsed();
    assert_eq!((late.code(), late.output.as_slice()), (Some(124), b"".as_slice()), "{late:?}");
    for words in ["scupper: timeout: ", "another process has the file", "nothing was taken or run\n"] {
        assert!(late.errors.contains(words) && late.errors.lines().count() == 1, "{words}: {late:?}");
    }
    assert!(took > TIMEOUT / 2, "it gave up after {took:?}");
    let opening = ended(place.run("--rate 1/h --timeout 2s").args(["--", "echo", "ran"]));
    assert_eq!((opening.code(), opening.output.as_slice()), (Some(124), b"".as_slice()), "{opening:?}");
    drop(another);
    assert!(place.used("echo") <= 1, "no more than was filled in, if that is still known");
}

#[test]
fn it_is_125_with_no_time_to_wait() {
    let place = Place::of_state("busy-now");
    place.fill("other", "1/h", 1);
    let _another = Another::has(&place);
    let ended = ended(place.run("--rate 1/h --timeout 0").args(["--", "echo", "ran"]));
    assert_eq!((ended.code(), ended.output.as_slice()), (Some(125), b"".as_slice()), "{ended:?}");
    assert!(ended.errors.ends_with("nothing was taken or run\n"), "{ended:?}");
}

#[test]
fn quiet_waits_without_a_word() {
    let place = Place::of_state("busy-quiet");
    let run = waiting(&place, "--quiet --timeout 6s");
    let another = Another::has(&place);
    let ended = run.end();
    drop(another);
    assert_eq!(ended.code(), Some(124), "{ended:?}");
    assert!(ended.errors.starts_with("scupper: timeout: "), "{ended:?}");
}
