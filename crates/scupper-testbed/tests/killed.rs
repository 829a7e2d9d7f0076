//! A test that is killed, or that just ends, leaves no server and no folder behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use scupper_testbed::{Client, RedisServer, SharedRedis, await_that};

/// Makes a test play the process that starts servers.
const ROLE: &str = "SCUPPER_TESTBED_STARTS_SERVERS";

/// What the process says of a server: `at PORT FOLDER`.
fn tell(server: &RedisServer) {
    let folder = server.command(&["CONFIG", "GET", "dir"]).array()[1].text();
    println!("\nat {} {folder}", server.port());
}

/// Runs the test of that name as a process of its own, up to its word that it has started all its servers.
fn run(test: &str) -> Started {
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, "yes")
        .env_remove("SCUPPER_TEST_REDIS_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let lines = output.by_ref().lines().map(Result::unwrap);
    let servers = lines.take_while(|line| line != "started").filter_map(|line| {
        let (port, folder) = line.strip_prefix("at ")?.split_once(' ')?;
        Some((port.parse().unwrap(), folder.to_owned()))
    });
    Started { servers: servers.collect(), process, _output: output }
}

/// A process that has started servers.
struct Started {
    process: Child,
    servers: Vec<(u16, String)>,
    /// What it still says goes here, and not to a broken pipe.
    _output: BufReader<ChildStdout>,
}

impl Started {
    fn leaves_nothing(&self) {
        for (port, folder) in &self.servers {
            await_that("the server is gone", || Client::connect(*port).is_err());
            await_that("its folder is gone", || !Path::new(folder).exists());
        }
    }
}

fn plays_the_process() -> bool {
    env::var_os(ROLE).is_some()
}

#[test]
fn a_killed_test_leaves_nothing_behind() {
    if plays_the_process() {
        let (one, stalled) = (RedisServer::start(), RedisServer::start());
        tell(&one);
        tell(&stalled);
        stalled.stall();
        println!("started");
        let _ = io::stdin().read(&mut [0]);
        return;
    }
    let mut started = run("a_killed_test_leaves_nothing_behind");
    assert_eq!(started.servers.len(), 2);
    started.process.kill().unwrap();
    started.process.wait().unwrap();
    started.leaves_nothing();
}

#[test]
fn the_shared_server_ends_with_the_process() {
    if plays_the_process() {
        let port = SharedRedis::get().url().rsplit_once(':').unwrap().1.parse().unwrap();
        let mut client = Client::connect(port).unwrap();
        let folder = client.command(&["CONFIG", "GET", "dir"]).unwrap().array()[1].text();
        println!("\nat {port} {folder}\nstarted");
        return;
    }
    let mut started = run("the_shared_server_ends_with_the_process");
    assert_eq!(started.servers.len(), 1);
    assert!(started.process.wait().unwrap().success());
    started.leaves_nothing();
}
