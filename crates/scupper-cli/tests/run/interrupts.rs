//! Signals to a run that waits or asks.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};
use scupper_testbed::{Fault, Proxy, RedisServer, await_that};

use crate::support::{Ended, Folder, Place, Running, alone, await_stopped, await_waiting, scupper, told};

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

/// Whether no thread of it takes this signal: whoever sees it only wait may have looked just before it is taken.
fn holds_back(run: &Running, signal: Signal) -> bool {
    let bit = 1 << (signal.as_raw() - 1);
    let tasks = fs::read_dir(format!("/proc/{}/task", Pid::from_child(run).as_raw_nonzero())).unwrap();
    // One that has gone meanwhile takes none.
    tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok()).all(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        u64::from_str_radix(line.unwrap().trim(), 16).unwrap() & bit != 0
    })
}

#[test]
fn a_ctrl_z_stops_it_while_it_waits() {
    let place = Place::new("ctrl-z");
    place.fill("echo", "1/h", 1);
    // In a group of its own: the system stops none that has nobody to have it go on.
    let run = Running::new(place.run("--rate 1/h").args(["--", "echo", "ran"]).process_group(0));
    await_waiting(&run);
    run.signal(Signal::TSTP);
    await_stopped(&run);
    run.signal(Signal::CONT);
    run.signal(Signal::INT);
    died_quietly_by(Signal::INT, &run.end());
}

#[test]
fn a_signal_ends_the_wait_for_a_file_that_another_process_has() {
    let folder = Folder::new("interrupted-opening");
    // Who makes the file of a store has its folder locked.
    let another = File::open(folder.path()).unwrap();
    another.lock().unwrap();
    let url = format!("sqlite:{}?timeout=3600s", folder.path().join("limits.db").display());
    for signal in ALL {
        let run = Running::new(scupper("--rate 5/h -- echo ran").env("SCUPPER_STORE", &url));
        await_that("a thread opens the file", || told(&run, "Threads") == "2");
        run.signal(signal);
        died_quietly_by(signal, &run.end());
    }
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
        self.admitted_to("echo ran")
    }

    fn admitted_to(&self, command: &str) -> Running {
        let mut warm = scupper("--rate 9/h --key warm -- true");
        assert!(Running::new(warm.env("SCUPPER_STORE", self.server.url())).end().status.success());
        self.proxy.set(Fault::stall_replies().when_sent("echo"));
        let mut run = scupper(&format!("--rate 9/h --key echo -- {command}"));
        let url = format!("redis://127.0.0.1:{}", self.proxy.port());
        let run = Running::new(run.env("SCUPPER_STORE", url).stdin(Stdio::null()).process_group(0));
        await_that("the run is admitted", || self.used() == 1);
        run
    }

    fn used(&self) -> u64 {
        let store = scupper::RedisStore::open(&self.server.url()).unwrap();
        let limiter = scupper::Limiter::builder().rates(["9/h".parse().unwrap()]).store(store).call_timeout(None);
        limiter.build().unwrap().peek("echo").unwrap().usage[0].used
    }
}

#[test]
fn a_signal_while_it_asks_gives_back_what_the_answer_brings() {
    for signal in ALL {
        let ends = || {
            let slow = Slow::new();
            let run = slow.admitted();
            run.signal(signal);
            slow.proxy.heal();
            (run.end(), slow.used())
        };
        // On a machine that stands still, the second that a call may take may pass before the signal comes, and hardly each time.
        let (ended, used) = (0..5).map(|_| ends()).find(|(ended, _)| ended.code() != Some(125)).unwrap();
        died_quietly_by(signal, &ended);
        assert_eq!(used, 0);
    }
}

#[test]
fn a_ctrl_z_while_it_asks_stops_it_after_the_answer() {
    let slow = Slow::new();
    let run = slow.admitted_to("grep SigBlk /proc/self/status");
    assert!(holds_back(&run, Signal::TSTP));
    run.signal(Signal::TSTP);
    slow.proxy.heal();
    await_stopped(&run);
    run.signal(Signal::CONT);
    let ended = run.end();
    assert_eq!(ended.output, b"SigBlk:\t0000000000000000\n", "{ended:?}");
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
    run.env("SCUPPER_STORE", format!("redis://127.0.0.1:{}", slow.proxy.port()));
    // On a machine that stands still, it may pass before the store is asked, and hardly each time.
    let ended = (0..5).map(|_| Running::new(&mut run).end()).find(|ended| ended.code() != Some(124)).unwrap();
    assert_eq!(ended.code(), Some(125), "{ended:?}");
    assert!(ended.errors.contains("outcome unknown") && ended.errors.contains("may have been taken"), "{ended:?}");
}
