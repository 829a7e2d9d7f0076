//! Eight processes share one bucket in Redis, and some of them are killed wherever they are: together they never have more than
//! the rates allow, nor less, and nothing is counted twice.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::{Read, Write, stdin};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use scupper::{ErrorKind, Rates, RedisStore};
use scupper_testbed::{Ends, RedisServer, await_that};
use support::redis::limiting;
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

/// What a process writes down of a permit that it has, in numbers of eight bytes: the tick, the weight and the sequence.
type Record = [u64; 3];

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

/// A folder that is gone with its value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("scupper-processes-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// All that was written down, in the order of the sequences; a record that a kill cut off is none.
    fn records(&self) -> Vec<Record> {
        let bytes = fs::read_dir(&self.0).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let record = |bytes: &[u8]| [0, 8, 16].map(|at| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap()));
        let mut records: Vec<Record> =
            bytes.flat_map(|bytes| bytes.chunks_exact(24).map(record).collect::<Vec<_>>()).collect();
        records.sort_unstable_by_key(|[_, _, sequence]| *sequence);
        records
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// No closed window holds more than its rate allows. Units between those of two records were admitted between their ticks,
/// whether or not somebody wrote them down.
fn never_over(records: &[Record], rates: &Rates) {
    for rate in rates {
        let (limit, interval) = (rate.limit(), u64::try_from(rate.interval().as_micros()).unwrap());
        let mut first = 0;
        for [tick, _, sequence] in records {
            while records[first][0] + interval < *tick {
                first += 1;
            }
            let [since, weight, before] = records[first];
            let admitted = sequence - (before - weight);
            assert!(admitted <= limit, "{admitted} units from {since} to {tick}, and {rate} allows {limit}");
        }
    }
}

/// How many units fit into so many microseconds, if each is taken as soon as that may be.
fn most_in(micros: u64, rates: &Rates) -> u64 {
    let mut ticks: Vec<u64> = Vec::new();
    loop {
        let earliest = rates.iter().filter_map(|rate| {
            let leaving = ticks.len().checked_sub(usize::try_from(rate.limit()).unwrap())?;
            Some(ticks[leaving] + u64::try_from(rate.interval().as_micros()).unwrap() + 1)
        });
        let next = earliest.max().unwrap_or_default();
        if next > micros {
            return ticks.len() as u64;
        }
        ticks.push(next);
    }
}

#[test]
fn promises_1_and_2_processes_that_are_killed_leave_the_others_the_full_rate_and_no_more() {
    if let (Ok(url), Some(folder)) = (env::var(URL), env::var_os(FOLDER)) {
        return take_what_there_is(&url, Path::new(&folder));
    }
    let (server, folder) = (RedisServer::start(), Folder::new());
    let mut processes: Vec<Child> = (0..PROCESSES).map(|_| start(&server.url(), &folder.0)).collect();
    await_that("all have begun", || fs::read_dir(&folder.0).unwrap().count() == PROCESSES * THREADS);
    let (start_of_kills, mut kills) = (Instant::now(), 0);
    while start_of_kills.elapsed() < 5 * SECOND {
        // Half of them live on.
        let victim = &mut processes[kills % (PROCESSES / 2)];
        victim.kill().unwrap();
        victim.wait().unwrap();
        *victim = start(&server.url(), &folder.0);
        kills += 1;
        // Not to see what happens, but for time to pass: the rates are by the clock of a real server.
        thread::sleep(150 * MILLISECOND);
    }
    for mut process in processes {
        drop(process.stdin.take());
        assert!(process.wait().unwrap().success(), "it says why");
    }
    let rates: Rates = RATES.parse().unwrap();
    let records = folder.records();
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
