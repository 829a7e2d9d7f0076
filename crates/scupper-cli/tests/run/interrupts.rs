//! Signals to a run that waits or asks.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use scupper_testbed::{Fault, Proxy, RedisServer, await_that};

use crate::support::{Ended, Place, Running, alone, await_waiting, scupper};

const ALL: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];

fn died_quietly_by(signal: Signal, ended: &Ended) {
    assert_eq!(ended.status.signal(), Some(signal.as_raw()), "{ended:?}");
    assert!(ended.errors.is_empty() && ended.output.is_empty(), "{ended:?}");
}

#[test]
fn a_signal_while_it_waits_ends_it_at_once_and_takes_nothing() {
    let place = Place::new("interrupt");
    place.fill("echo", "1/h", 1);
    for signal in ALL {
        let run = Running::new(place.run("--rate 1/h").args(["--", "echo", "ran"]));
        await_waiting(&run);
        run.signal(signal);
        died_quietly_by(signal, &run.end());
    }
    assert_eq!(place.used("echo"), 1);
}

#[test]
fn signals_that_were_ignored_do_not_end_its_wait() {
    let place = Place::new("ignored-interrupt");
    place.fill("echo", "1/3s", 1);
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" INT HUP; exec "$0" run --rate 1/3s -- echo ran"#, env!("CARGO_BIN_EXE_scupper")]);
    alone(&mut shell);
    place.lead(&mut shell);
    let run = Running::new(&mut shell);
    await_waiting(&run);
    run.signal(Signal::INT);
    run.signal(Signal::HUP);
    assert_eq!(run.end().output, b"ran\n");
}

#[test]
fn a_wait_can_be_stopped_and_goes_on() {
    let place = Place::new("stopped");
    place.fill("echo", "1/500ms", 1);
    let run = Running::new(place.run("--rate 1/500ms").args(["--", "echo", "ran"]));
    run.signal(Signal::STOP);
    run.signal(Signal::CONT);
    assert_eq!(run.end().output, b"ran\n");
}

/// A Redis whose answers can be held up.
struct Slow {
    server: RedisServer,
    proxy: Proxy,
}

impl Slow {
    fn new() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.address());
        Self { server, proxy }
    }

    /// A run that has been admitted, and has not heard of it.
    fn admitted(&self) -> Running {
        let mut warm = scupper("--rate 9/h --key warm -- true");
        assert!(Running::new(warm.env("SCUPPER_STORE", self.server.url())).end().status.success());
        self.proxy.set(Fault::stall_replies().when_sent("echo"));
        let mut run = scupper("--rate 9/h --key echo -- echo ran");
        let url = format!("redis://127.0.0.1:{}", self.proxy.port());
        let run = Running::new(run.env("SCUPPER_STORE", url).stdin(Stdio::null()));
        await_that("the run is admitted", || self.used() == 1);
        run
    }

    fn used(&self) -> u64 {
        let store = scupper::RedisStore::open(&self.server.url()).unwrap();
        let limiter = scupper::Limiter::builder().rates(["9/h".parse().unwrap()]).store(store).build().unwrap();
        limiter.peek("echo").unwrap().usage[0].used
    }
}

#[test]
fn a_signal_while_it_asks_gives_back_what_the_answer_brings() {
    for signal in ALL {
        let slow = Slow::new();
        let run = slow.admitted();
        run.signal(signal);
        slow.proxy.heal();
        died_quietly_by(signal, &run.end());
        assert_eq!(slow.used(), 0);
    }
}

#[test]
fn a_signal_while_it_asks_ends_it_though_no_answer_comes() {
    let slow = Slow::new();
    let run = slow.admitted();
    run.signal(Signal::INT);
    died_quietly_by(Signal::INT, &run.end());
    // What the help says: it counts until its time is over.
    assert_eq!(slow.used(), 1);
}

#[test]
fn a_timeout_that_passes_while_it_asks_cannot_tell() {
    let slow = Slow::new();
    slow.admitted().end();
    let mut run = scupper("--rate 9/h --key echo --timeout 900ms -- echo ran");
    let ended = Running::new(run.env("SCUPPER_STORE", format!("redis://127.0.0.1:{}", slow.proxy.port()))).end();
    assert_eq!(ended.code(), Some(125), "{ended:?}");
    assert!(ended.errors.contains("outcome unknown") && ended.errors.contains("may have been taken"), "{ended:?}");
}
