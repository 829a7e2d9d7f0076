//! Many processes share one bucket, and some of them are killed wherever they are: together they never have more than the rates
//! allow, nor less, and nothing is counted twice.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write, stdin};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use std::{env, process, thread};

use scupper::{Limiter, Rates};
use scupper_testbed::{Ends, Folder, await_that};

use crate::support::process::Process;
use crate::support::remote::PATIENCE;
use crate::support::taken::{Record, most_in, never_over, records};
use crate::support::{MILLISECOND, SECOND};

const PROCESSES: usize = 8;
const THREADS: usize = 2;
const HEAVIEST: u64 = 3;
const KEY: &str = "shared";
const URL: &str = "SCUPPER_TEST_PROCESSES_URL";
const FOLDER: &str = "SCUPPER_TEST_PROCESSES_FOLDER";
const NAME: &str = "promises_1_and_2_processes_that_are_killed_leave_the_others_the_full_rate_and_no_more";

/// A bucket that processes share.
pub(crate) trait SharedBucket {
    const RATES: &'static str;

    /// Of a hundred units that are to be had in a second, so many are taken by somebody, unless the machine stands still meanwhile:
    /// those who are killed leave some for a while.
    const LEAST: u64;

    /// Who keeps the bucket.
    type Server;

    fn start() -> Self::Server;

    fn url(server: &Self::Server) -> String;

    /// A limiter with the rates.
    fn limiter(url: &str) -> Limiter;
}

/// Takes what it can get until its input ends, and writes it down. What it has and did not write down yet when it is killed
/// shows in the sequences of the others.
fn take_what_there_is<B: SharedBucket>(url: &str, folder: &Path) {
    let is_over = AtomicBool::new(false);
    let limiter = B::limiter(url);
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
                    // Nobody waits for the dead, nor gives up in a call: what was admitted would be given back later, and so more
                    // be counted than is admitted.
                    let permit = limiter.request(KEY).weight(weight).timeout(PATIENCE).acquire().unwrap();
                    let record: Record = [permit.tick().as_micros(), permit.weight(), permit.sequence()];
                    file.write_all(&record.map(u64::to_be_bytes).concat()).unwrap();
                }
            });
        }
        let _ = stdin().read(&mut [0]);
    });
}

/// Has them take for five seconds while some are killed; says how many were, and the first unit that was taken meanwhile.
fn kill_some(url: &str, folder: &Path, limiter: &Limiter) -> (usize, Record) {
    let start = |_| Process::start(NAME, &[(URL, url.as_ref()), (FOLDER, folder.as_ref())]);
    let mut processes: Vec<Process> = (0..PROCESSES).map(start).collect();
    await_that("all have begun", || fs::read_dir(folder).unwrap().count() == PROCESSES * THREADS);
    let first = limiter.acquire(KEY).unwrap();
    let first = [first.tick().as_micros(), first.weight(), first.sequence()];
    let (begun, mut kills) = (Instant::now(), 0);
    while begun.elapsed() < 5 * SECOND {
        // Half of them live on.
        let victim = &mut processes[kills % (PROCESSES / 2)];
        victim.kill();
        *victim = start(0);
        kills += 1;
        // Not to see what happens, but for time to pass: the rates are by the clock of a real server.
        thread::sleep(150 * MILLISECOND);
    }
    processes.iter_mut().for_each(Process::end_input);
    processes.into_iter().for_each(Process::ends_well);
    (kills, first)
}

/// The most units that were taken in a second from any of these on.
fn most_in_a_second(records: &[Record]) -> u64 {
    let taken = records.iter().enumerate().map(|(place, [since, weight, before])| {
        let within = records[place..].iter().take_while(|[tick, ..]| tick - since <= 1_000_000);
        within.last().map_or(0, |[_, _, sequence]| sequence - (before - weight))
    });
    taken.max().unwrap_or(0)
}

pub(crate) fn promises_1_and_2_processes_that_are_killed_leave_the_others_the_full_rate_and_no_more<B: SharedBucket>() {
    if let (Ok(url), Some(folder)) = (env::var(URL), env::var_os(FOLDER)) {
        return take_what_there_is::<B>(&url, Path::new(&folder));
    }
    let (server, folder) = (B::start(), Folder::new());
    let limiter = B::limiter(&B::url(&server));
    let (kills, first) = kill_some(&B::url(&server), folder.path(), &limiter);
    let rates: Rates = B::RATES.parse().unwrap();
    let mut records = records(folder.path());
    records.push(first);
    records.sort_unstable_by_key(|[_, _, sequence]| *sequence);
    never_over(&records, &rates);

    let written: u64 = records.iter().map(|[_, weight, _]| weight).sum();
    let total = limiter.acquire(KEY).unwrap().sequence() - 1;
    let are_apart = records.windows(2).all(|pair| pair[0][2] + pair[1][1] <= pair[1][2]);
    assert!(are_apart, "each unit is counted for one permit");
    // A killed process has had one call of each thread under way.
    let most_lost = u64::try_from(kills * THREADS).unwrap() * HEAVIEST;
    assert!((written..=written + most_lost).contains(&total), "{total} taken, {written} written down, {kills} kills");

    // One is killed several times in each second.
    let meanwhile = records.iter().position(|record| *record == first).unwrap();
    let (most, full) = (most_in_a_second(&records[meanwhile..]), most_in(1_000_000, &rates));
    assert!(most * 100 >= full * B::LEAST, "{most} taken in a second where {full} could be");
}
