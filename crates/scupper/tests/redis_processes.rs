//! Eight processes share one bucket in Redis, and some of them are killed wherever they are: together they never have more than
//! the rates allow, nor less, and nothing is counted twice.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::{Read, Write, stdin};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use scupper::{ErrorKind, Rates, RedisStore};
use scupper_testbed::{Ends, RedisServer, await_that};
use support::folder::Folder;
use support::redis::limiting;
use support::taken::{Record, most_in, never_over, records};
use support::{MILLISECOND, SECOND};

const RATES: &str = "40/100ms, 300/s";
const PROCESSES: usize = 8;
const THREADS: usize = 2;
const HEAVIEST: u64 = 3;
const KEY: &str = "shared";
const URL: &str = "SCUPPER_TEST_PROCESSES_URL";
const FOLDER: &str = "SCUPPER_TEST_PROCESSES_FOLDER";
const NAME: &str = "promises_1_and_2_processes_that_are_killed_leave_the_others_the_full_rate_and_no_more";

/// How long a request may wait, and how much longer it took if it did: a machine has much to do with so many processes.
const PATIENCE: Duration = SECOND;
const SLACK: Duration = Duration::from_millis(1_500);

/// Takes what it can get until its input ends, and writes it down. What it has and did not write down yet when it is killed
/// shows in the sequences of the others.
fn take_what_there_is(url: &str, folder: &Path) {
    let is_over = AtomicBool::new(false);
    let limiter = limiting(RATES, &RedisStore::open(url).unwrap()).build().unwrap();
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        for thread in 0..THREADS {
            let (limiter, is_over) = (&limiter, &is_over);
            let path = folder.join(format!("{}-{thread}", process::id()));
            threads.spawn(move || {
                let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
                let mut weight = u64::from(process::id()) % HEAVIEST;
                while !is_over.load(Ordering::Relaxed) {
                    weight = weight % HEAVIEST + 1;
                    let start = Instant::now();
                    let permit = limiter.request(KEY).weight(weight).timeout(PATIENCE).acquire();
                    assert!(start.elapsed() < PATIENCE + SLACK, "{:?}", start.elapsed());
                    match permit {
                        Ok(permit) => {
                            let record: Record = [permit.tick().as_micros(), permit.weight(), permit.sequence()];
                            file.write_all(&record.map(u64::to_be_bytes).concat()).unwrap();
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout, "{error}"),
                    }
                }
            });
        }
        let _ = stdin().read(&mut [0]);
    });
}

fn start(url: &str, folder: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture"]).env(URL, url).env(FOLDER, folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn promises_1_and_2_processes_that_are_killed_leave_the_others_the_full_rate_and_no_more() {
    if let (Ok(url), Some(folder)) = (env::var(URL), env::var_os(FOLDER)) {
        return take_what_there_is(&url, Path::new(&folder));
    }
    let (server, folder) = (RedisServer::start(), Folder::new());
    let mut processes: Vec<Child> = (0..PROCESSES).map(|_| start(&server.url(), folder.path())).collect();
    await_that("all have begun", || fs::read_dir(folder.path()).unwrap().count() == PROCESSES * THREADS);
    let (start_of_kills, mut kills) = (Instant::now(), 0);
    while start_of_kills.elapsed() < 5 * SECOND {
        // Half of them live on.
        let victim = &mut processes[kills % (PROCESSES / 2)];
        victim.kill().unwrap();
        victim.wait().unwrap();
        *victim = start(&server.url(), folder.path());
        kills += 1;
        // Not to see what happens, but for time to pass: the rates are by the clock of a real server.
        thread::sleep(150 * MILLISECOND);
    }
    for mut process in processes {
        drop(process.stdin.take());
        assert!(process.wait().unwrap().success(), "it says why");
    }
    let rates: Rates = RATES.parse().unwrap();
    let records = records(folder.path());
    never_over(&records, &rates);

    let written: u64 = records.iter().map(|[_, weight, _]| weight).sum();
    let limiter = limiting(RATES, &RedisStore::open(&server.url()).unwrap()).build().unwrap();
    let total = limiter.acquire(KEY).unwrap().sequence() - 1;
    let are_apart = records.windows(2).all(|pair| pair[0][2] + pair[1][1] <= pair[1][2]);
    assert!(are_apart, "each unit is counted for one permit");
    // A killed process has had one call of each thread under way.
    let most_lost = u64::try_from(kills * THREADS).unwrap() * HEAVIEST;
    assert!((written..=written + most_lost).contains(&total), "{total} taken, {written} written down, {kills} kills");

    let full = most_in(records[records.len() - 1][0] - records[0][0], &rates);
    assert!(total * 100 >= full * 93, "{total} taken where {full} could be");
}
