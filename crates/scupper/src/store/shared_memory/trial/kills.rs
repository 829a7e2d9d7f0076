//! Eight processes decide in one file, and are killed wherever they are, thousands of times: together they never have more than
//! the rates allow, and no block is lost.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, process};

use scupper_shm::Shared;

use crate::error::ErrorKind;
use crate::quota::{Algorithm, Quota};
use crate::rates::Rates;
use crate::store::batch::{Action, Operation, Standing};
use crate::store::contract::Store;
use crate::store::outcome::{Outcome, Reply, Verdict};
use crate::store::shared_memory::geometry::at;
use crate::store::shared_memory::store::SharedMemoryStore;
use crate::store::shared_memory::trial::audit::audit;
use crate::sync::Ordering;

const NAME: &str =
    "store::shared_memory::trial::kills::promise_1_processes_that_are_killed_leave_the_others_their_rate_and_no_more";
const RATES: &str = "400/20ms, 9000/s";
const PROCESSES: usize = 8;
const KILLS: usize = 2_000;
const HEAVIEST: u64 = 3;
const FOLDER: &str = "SCUPPER_TEST_KILLS_FOLDER";
/// The timeout of the lock: on a machine with so much to do, one that was killed may take a while to be gone.
const TIMEOUT: Duration = Duration::from_secs(20);
/// What a call may take besides.
const SLACK: Duration = Duration::from_secs(20);

/// What is written down of an admission: tick, weight and sequence.
type Record = [u64; 3];

fn url(folder: &Path) -> String {
    format!("shm:{}?size=1MiB&timeout={}s", folder.join("store").display(), TIMEOUT.as_secs())
}

fn submit(store: &SharedMemoryStore, operation: Operation<'_>) -> Outcome {
    let start = Instant::now();
    let outcome = store.submit((&operation).into()).wait().pop();
    assert!(start.elapsed() < TIMEOUT + SLACK, "{:?}", start.elapsed());
    outcome.unwrap_or_else(|| panic!("no outcome"))
}

/// By either door.
fn ask(store: &SharedMemoryStore, quota: &Quota, weight: u64, at_once: bool) -> Option<Verdict> {
    if at_once {
        return store.acquire_at_once("shared", quota, weight);
    }
    match submit(store, Operation::acquire("shared", quota, weight)) {
        Ok(Reply::Acquired(verdict)) => Some(verdict),
        // The one who lives asks as well, and takes no such answer.
        Err(error) if error.kind() == ErrorKind::Unavailable => None,
        other => panic!("{other:?} to an acquire"),
    }
}

/// Takes what it can get and writes it down, and meanwhile makes, changes and empties buckets of all kinds.
fn decide_until_the_end(folder: &Path) {
    let store = SharedMemoryStore::open(&url(folder)).unwrap();
    let mut file =
        OpenOptions::new().create(true).append(true).open(folder.join(format!("{}.taken", process::id()))).unwrap();
    let quota = Quota::new(Algorithm::SlidingWindowLog, RATES).unwrap();
    let others = [
        Quota::new(Algorithm::SlidingWindowLog, "50/ms, 100/5ms").unwrap(),
        Quota::new(Algorithm::SlidingWindowLog, "3000/50ms").unwrap(),
        Quota::new(Algorithm::Gcra, "50/ms").unwrap(),
    ];
    let mut admitted = None;
    for nth in u64::from(process::id()).. {
        let weight = 1 + nth % HEAVIEST;
        if let Some(Verdict::Admitted(admission)) = ask(&store, &quota, weight, nth % 2 == 0) {
            let record: Record = [admission.tick.as_micros(), admission.weight, admission.sequence];
            file.write_all(&record.map(u64::to_be_bytes).concat()).unwrap();
        }
        let (key, other) = (format!("other {}", nth % 41), &others[usize::try_from(nth % 3).unwrap()]);
        let action = match nth % 7 {
            0 => Action::Penalize { quota: other, units: weight },
            1 => Action::Reset,
            2 => admitted.take().map_or(Action::Reset, Action::Refund),
            3 => Action::Hold { quota: other, duration: Duration::from_micros(nth % 900) },
            _ => Action::Acquire { quota: other, weight, standing: Standing::Alone },
        };
        // Another algorithm than that of a bucket that owes is refused.
        if let Ok(Reply::Acquired(Verdict::Admitted(admission))) = submit(&store, Operation::new(&key, action)) {
            admitted = Some(admission);
        }
    }
}

fn start(folder: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture"]).env(FOLDER, folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

/// A folder in memory that is gone with its value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = Path::new("/dev/shm").join(format!("scupper-test-kills-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// All that was written down, in the order of the sequences; a record that a kill cut off is none.
    fn records(&self) -> Vec<Record> {
        let files = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut records = Vec::new();
        for path in files.filter(|path| path.extension().is_some()) {
            let mut bytes = Vec::new();
            File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
            let record = |bytes: &[u8]| [0, 8, 16].map(|at| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap()));
            records.extend(bytes.chunks_exact(24).map(record));
        }
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
        let (limit, interval) = (rate.limit(), rate.interval_micros());
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

#[test]
fn promise_1_processes_that_are_killed_leave_the_others_their_rate_and_no_more() {
    if let Some(folder) = env::var_os(FOLDER) {
        return decide_until_the_end(Path::new(&folder));
    }
    let folder = Folder::new();
    let store = SharedMemoryStore::open(&url(&folder.0)).unwrap();
    let mut processes: Vec<Child> = (0..PROCESSES).map(|_| start(&folder.0)).collect();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1000000/s").unwrap();
    let file = Shared::open(&folder.0.join("store")).unwrap().unwrap();
    let (journal, mut half_done) = (usize::try_from(at::JOURNAL).unwrap(), 0);
    for kill in 0..KILLS {
        let victim = &mut processes[kill % PROCESSES];
        victim.kill().unwrap();
        let status = victim.wait().unwrap();
        assert!(status.code().is_none(), "it ended before it was killed, and says why: {status}");
        // Until somebody has taken the lock from it.
        half_done += usize::from(file.words()[journal].load(Ordering::Relaxed) != 0);
        *victim = start(&folder.0);
        submit(&store, Operation::acquire("of the one who lives", &quota, 1)).unwrap();
    }
    for process in &mut processes {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    // Whoever comes next undoes what was half done, and finds every block.
    let quota = Quota::new(Algorithm::SlidingWindowLog, RATES).unwrap();
    let look = submit(&store, Operation::new("shared", Action::Peek { quota: &quota }));
    assert!(matches!(look, Ok(Reply::Peeked(_))), "{look:?}");
    let buckets = audit(file.words());
    assert!(buckets.contains_key("shared"));
    let last = submit(&store, Operation::acquire("shared", &quota, 1)).unwrap();
    assert!(matches!(last, Reply::Acquired(Verdict::Admitted(_) | Verdict::Denied(_))));

    println!("{half_done} of {KILLS} left something half done");
    let records = folder.records();
    assert!(half_done > 0, "no kill came in the middle of a change");
    assert!(records.len() > KILLS, "only {} were admitted", records.len());
    never_over(&records, quota.rates());
    let are_apart = records.windows(2).all(|pair| pair[0][2] + pair[1][1] <= pair[1][2]);
    assert!(are_apart, "each unit is counted for one permit");
}
