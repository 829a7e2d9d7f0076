//! Many share one bucket in Postgres, and some of them are killed wherever they are: together they never have more than the rates
//! allow, nor less, and nothing is counted twice.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::{Read, Write, stdin};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use std::{env, process, thread};

use scupper::{Limiter, PostgresStore, Rates};
use scupper_testbed::{Ends, PostgresServer, await_that};
use support::folder::Folder;
use support::postgres::{builder, patient, without_hurry};
use support::taken::{Record, most_in, never_over, records};
use support::{MILLISECOND, SECOND};

const RATES: &str = "20/200ms, 60/s";
const PROCESSES: usize = 8;
const THREADS: usize = 2;
const HEAVIEST: u64 = 3;
const KEY: &str = "shared";
const URL: &str = "SCUPPER_TEST_PROCESSES_URL";
const FOLDER: &str = "SCUPPER_TEST_PROCESSES_FOLDER";
const NAME: &str = "promises_1_and_2_processes_that_are_killed_leave_the_others_the_full_rate_and_no_more";

/// Takes what it can get until its input ends, and writes it down. Nobody gives up in a call: it would be given back later, and then
/// more are counted than are admitted. What it has and did not write down yet when it is killed
/// shows in the sequences of the others.
fn take_what_there_is(url: &str, folder: &Path) {
    let is_over = AtomicBool::new(false);
    let limiter = patient(RATES, &without_hurry(PostgresStore::builder(url)).connect_blocking().unwrap());
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
                    let permit = limiter.request(KEY).weight(weight).acquire().unwrap();
                    let record: Record = [permit.tick().as_micros(), permit.weight(), permit.sequence()];
                    file.write_all(&record.map(u64::to_be_bytes).concat()).unwrap();
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
    let (server, folder) = (PostgresServer::start(), Folder::new());
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
    let limiter = patient(RATES, &PostgresStore::open(&server.url()).unwrap());
    let total = limiter.acquire(KEY).unwrap().sequence() - 1;
    let are_apart = records.windows(2).all(|pair| pair[0][2] + pair[1][1] <= pair[1][2]);
    assert!(are_apart, "each unit is counted for one permit");
    // A killed process has had one call of each thread under way.
    let most_lost = u64::try_from(kills * THREADS).unwrap() * HEAVIEST;
    assert!((written..=written + most_lost).contains(&total), "{total} taken, {written} written down, {kills} kills");

    let full = most_in(records[records.len() - 1][0] - records[0][0], &rates);
    assert!(total * 100 >= full * 90, "{total} taken where {full} could be");
}

/// One limiter, or several with connections of their own, which meet on the server alone.
fn limiters(count: usize) -> Vec<Limiter> {
    let store = builder();
    let stores = (0..count).map(|_| store.clone().connect_blocking().unwrap());
    stores.map(|store| patient("100/h", &store)).collect()
}

#[test]
fn promise_2_a_hundred_threads_that_ask_for_what_fits_are_all_admitted() {
    for count in [1, 10] {
        let limiters = limiters(count);
        let ask = |limiter: &Limiter| limiter.try_acquire(KEY).unwrap().is_admitted();
        let admitted: usize = thread::scope(|threads| {
            let asking: Vec<_> = limiters.iter().cycle().take(100).map(|one| threads.spawn(move || ask(one))).collect();
            asking.into_iter().map(|asked| usize::from(asked.join().unwrap())).sum()
        });
        assert_eq!(admitted, 100, "through {count} stores");
        assert!(!limiters[0].try_acquire(KEY).unwrap().is_admitted());
    }
}

#[test]
fn promise_2_a_hundred_tasks_that_ask_for_what_fits_are_all_admitted() {
    for count in [1, 10] {
        let limiters = limiters(count);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let ask = |limiter: Limiter| async move { limiter.try_acquire_async(KEY).await.unwrap().is_admitted() };
        let asking: Vec<_> = limiters.iter().cycle().take(100).map(|one| runtime.spawn(ask(one.clone()))).collect();
        let admitted = asking.into_iter().map(|asked| runtime.block_on(asked).unwrap());
        assert_eq!(admitted.map(usize::from).sum::<usize>(), 100, "through {count} stores");
        assert!(!limiters[0].try_acquire(KEY).unwrap().is_admitted());
    }
}
