//! The store on a host whose time a test sets.

mod meddling;

mod adversity;

mod blocked;

mod model;

mod time;

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use crate::store::batch::{Batch, Operation};
use crate::store::contract::Store;
use crate::store::host_clock::TestHost;
use crate::store::outcome::Outcome;
use crate::store::sqlite::store::SqliteStore;
use crate::sync::{Arc, AtomicU64, Ordering, thread};

/// A file of a test's own, gone with its folder.
struct Bed {
    folder: PathBuf,
    host: Arc<TestHost>,
}

impl Bed {
    fn new(host: TestHost) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("scupper-sqlite-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { folder, host: Arc::new(host) }
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::builder(self.folder.join("limits.db")).host(self.host.clone()).open().unwrap()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn submit(store: &SqliteStore, operations: &[Operation<'_>]) -> Vec<Outcome> {
    store.submit(Batch::new(operations)).wait().into_vec()
}

/// Asks again and again until it is so, for at most so long as nothing takes.
#[track_caller]
fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came true that {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
