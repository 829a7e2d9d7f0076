//! What the tests share. Not all of them use all of it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test takes what it needs, and reports by panicking"
)]

pub(crate) mod child;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use rustix::thread::{Gid, Uid, set_thread_res_gid, set_thread_res_uid};
use scupper_shm::{Guard, OpenError, OpenErrorKind, Shared};

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// In which whatever is awaited happens on the slowest machine.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Where the lock word is in the file, and how its parts are written.
pub(crate) const LOCK_WORD: u64 = 128;
pub(crate) const WAITED_FOR: u32 = 1 << 31;
/// Where the bytes are that seats are locks of.
pub(crate) const SEATS_BEGIN: u64 = 1 << 40;

/// A folder of the test's own that is gone with its value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        Self::within(&env::temp_dir())
    }

    pub(crate) fn within(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("scupper-shm-{}-{nth}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        fs::read_dir(&self.0).unwrap().map(name).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn create(path: &Path, words: usize) -> Shared {
    Shared::create(path, words, 0o600, |_| ()).unwrap()
}

pub(crate) fn open(path: &Path) -> Shared {
    Shared::open(path).unwrap().expect("there is such a file")
}

/// Why the file is not opened; the message says something, and names the path.
pub(crate) fn refusal(path: &Path) -> OpenErrorKind {
    refused(&Shared::open(path).expect_err("it is refused"), path)
}

pub(crate) fn refused(error: &OpenError, path: &Path) -> OpenErrorKind {
    let message = error.to_string();
    assert!(message.starts_with(&format!("{}: ", path.display())), "{message}");
    assert!(message.len() > path.display().to_string().len() + 20, "{message}");
    error.kind()
}

pub(crate) fn get(shared: &Shared, at: usize) -> u64 {
    shared.words()[at].load(Ordering::Relaxed)
}

pub(crate) fn set(shared: &Shared, at: usize, value: u64) {
    shared.words()[at].store(value, Ordering::Relaxed);
}

pub(crate) fn lock(shared: &Shared) -> Guard<'_> {
    shared.lock(LONG).unwrap()
}

/// Waits for what will be, and not longer than [`LONG`].
pub(crate) fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "it does not come about that {what}");
        thread::sleep(MILLISECOND / 5);
    }
}

const ROLE: &str = "SCUPPER_SHM_TEST_ROLE";
const FILE: &str = "SCUPPER_SHM_TEST_FILE";

/// What this process is to do, if the test was started in a process of its own, and with which file.
pub(crate) fn role() -> Option<(String, PathBuf)> {
    Some((env::var(ROLE).ok()?, env::var_os(FILE)?.into()))
}

/// A process that runs one test of this program in a role. It is killed with its value.
pub(crate) struct Worker(pub(crate) Child);

impl Worker {
    pub(crate) fn start(test: &str, role: &str, file: &Path) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role).env(FILE, file);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Waits until it ends by itself, as it should.
    pub(crate) fn ends_well(mut self) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < 2 * LONG, "a worker does not end");
            thread::sleep(MILLISECOND);
        };
        assert!(status.success(), "{status}: it says why");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs it as a user who is not the administrator, for whom permissions mean nothing.
pub(crate) fn as_a_user<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    let is_root = rustix::process::geteuid().is_root();
    let become_nobody = || {
        // Of this thread alone, and for the rest of its life.
        let (user, group) = (Uid::from_raw(65_534), Gid::from_raw(65_534));
        set_thread_res_gid(group, group, group).unwrap();
        set_thread_res_uid(user, user, user).unwrap();
    };
    thread::scope(|threads| {
        let thread = threads.spawn(|| {
            if is_root {
                become_nobody();
            }
            what()
        });
        thread.join().unwrap()
    })
}

/// Numbers that look random, the same in each run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
