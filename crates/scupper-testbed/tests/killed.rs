//! A test that is killed, or that just ends, leaves no server and no folder behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use scupper_testbed::{Client, Folder, PostgresServer, RedisServer, Session, SharedPostgres, SharedRedis, await_that};

/// Makes a test play the process that starts servers.
const ROLE: &str = "SCUPPER_TESTBED_STARTS_SERVERS";

/// What the process says of a server: `at PORT FOLDER`.
fn tell(server: &RedisServer) {
    let folder = server.command(&["CONFIG", "GET", "dir"]).array()[1].text();
    println!("\nat {} {folder}", server.port());
}

fn tell_of_postgres(server: &PostgresServer) {
    let data = server.ask("SHOW data_directory").text();
    println!("\nat {} {}", server.port(), data.strip_suffix("/data").unwrap());
}

/// The test of that name, to be run as a process of its own.
fn command(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(ROLE, "yes");
    command.env_remove("SCUPPER_TEST_REDIS_URL").env_remove("SCUPPER_TEST_POSTGRES_URL");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Runs the test of that name up to its word that it has started all its servers.
fn run(test: &str) -> Started {
    let mut process = command(test).spawn().unwrap();
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

/// The numbers of the pieces of memory that processes of this machine share, and that outlive them.
fn segments() -> Vec<String> {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    table.lines().filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect()
}

/// The number of the piece that a Postgres with these notes has made.
fn segment_in(notes: &str) -> String {
    notes.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

/// The number of the piece that the Postgres in this folder has made.
fn segment_of(folder: &str) -> String {
    let notes = fs::read_to_string(format!("{folder}/data/postmaster.pid")).unwrap();
    let number = segment_in(&notes);
    assert!(segments().contains(&number), "{number}");
    number
}

#[test]
fn a_killed_test_leaves_no_process_of_postgres_behind() {
    if plays_the_process() {
        let (one, stalled) = (PostgresServer::start(), PostgresServer::start());
        tell_of_postgres(&one);
        tell_of_postgres(&stalled);
        // Each session has a process of its own, which would go on.
        let sessions = [&one, &stalled].map(|server| server.session().unwrap());
        let asked = sessions.each_ref().map(|session| session.send("SELECT pg_sleep(3600)"));
        stalled.stall();
        println!("started");
        let _ = io::stdin().read(&mut [0]);
        drop(asked);
        return;
    }
    let mut started = run("a_killed_test_leaves_no_process_of_postgres_behind");
    assert_eq!(started.servers.len(), 2);
    let numbers: Vec<String> = started.servers.iter().map(|(_, folder)| segment_of(folder)).collect();
    started.process.kill().unwrap();
    started.process.wait().unwrap();
    started.leaves_nothing();
    for (number, (_, folder)) in numbers.iter().zip(&started.servers) {
        let works_there =
            |entry: &fs::DirEntry| fs::read_link(entry.path().join("cwd")).is_ok_and(|place| place.starts_with(folder));
        assert_eq!(fs::read_dir("/proc").unwrap().flatten().filter(works_there).count(), 0);
        assert!(!segments().contains(number), "{number}");
    }
}

/// What a Postgres has noted of itself, for as long as it runs, below a folder that has this one in it.
fn notes_below(folder: &Path) -> Option<String> {
    // From then on it works for a good while.
    let inner =
        fs::read_dir(folder).unwrap().flatten().filter(|inner| inner.path().join("model/global/pg_control").exists());
    let mut notes = inner.filter_map(|inner| fs::read_to_string(inner.path().join("model/postmaster.pid")).ok());
    notes.find(|notes| notes.lines().count() >= 7)
}

#[test]
fn a_test_that_is_killed_while_the_files_of_postgres_are_made_leaves_nothing_behind() {
    if plays_the_process() {
        drop(PostgresServer::start());
        return;
    }
    let folder = Folder::new();
    let mut process = command("a_test_that_is_killed_while_the_files_of_postgres_are_made_leaves_nothing_behind")
        .env("TMPDIR", folder.path())
        .spawn()
        .unwrap();
    let mut notes = None;
    await_that("they are being made", || {
        notes = notes_below(folder.path());
        notes.is_some()
    });
    process.kill().unwrap();
    process.wait().unwrap();
    await_that("all folders are gone", || fs::read_dir(folder.path()).unwrap().count() == 0);
    let number = segment_in(&notes.unwrap());
    assert!(!segments().contains(&number), "{number}");
}

#[test]
fn the_shared_postgres_ends_with_the_process() {
    if plays_the_process() {
        let port = SharedPostgres::get().url().rsplit_once(':').unwrap().1.split_once('/').unwrap().0;
        let server = Session::connect(&format!("postgres://postgres@127.0.0.1:{port}/scupper")).unwrap();
        let data = server.ask("SHOW data_directory").text();
        println!("\nat {port} {}\nstarted", data.strip_suffix("/data").unwrap());
        return;
    }
    let mut started = run("the_shared_postgres_ends_with_the_process");
    assert_eq!(started.servers.len(), 1);
    assert!(started.process.wait().unwrap().success());
    started.leaves_nothing();
}
