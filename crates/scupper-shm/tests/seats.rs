//! Seats are as many as they are, each is one's alone, and the system gives back those of the dead.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![expect(unsafe_code, reason = "locks seats as the crate does, to find out which are taken")]

mod support;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{mem, thread};

use rustix::process::{Pid, Signal, kill_process};
use scupper_shm::{LockError, SEATS, Shared};
use support::{Folder, SEATS_BEGIN, SECOND, Worker, await_that, create, get, lock, open, role, set};

/// A description of the test's own, with which it locks seats and looks at them.
struct Outsider(File);

impl Outsider {
    fn new(path: &Path) -> Self {
        Self(File::options().read(true).write(true).open(path).unwrap())
    }

    /// Whether these seats were all free, and are the outsider's now.
    fn takes(&self, first: u32, count: u32) -> bool {
        self.set(first, count, libc::F_WRLCK)
    }

    fn leaves(&self, first: u32, count: u32) {
        assert!(self.set(first, count, libc::F_UNLCK));
    }

    fn set(&self, first: u32, count: u32, kind: i32) -> bool {
        let lock = libc::flock {
            l_type: kind.try_into().unwrap(),
            l_whence: libc::SEEK_SET.try_into().unwrap(),
            l_start: (SEATS_BEGIN + u64::from(first)).try_into().unwrap(),
            l_len: count.into(),
            l_pid: 0,
        };
        // SAFETY: the descriptor is open, and the command takes a pointer to such a lock, which it only reads.
        unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) == 0 }
    }

    /// How many of the seats somebody has.
    fn taken(&self) -> usize {
        let is_taken = |seat: &u32| {
            let was_free = self.takes(*seat, 1);
            if was_free {
                self.leaves(*seat, 1);
            }
            !was_free
        };
        (0..SEATS).filter(is_taken).count()
    }
}

#[test]
fn a_seat_is_taken_with_the_first_lock_and_left_with_the_opening() {
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, 1);
    let outsider = Outsider::new(&path);
    assert_eq!(outsider.taken(), 0);
    drop(lock(&shared));
    assert_eq!(outsider.taken(), 1);
    let others = [open(&path), open(&path), open(&path)];
    assert_eq!(outsider.taken(), 1);
    for other in others.iter().chain(&others) {
        drop(lock(other));
    }
    assert_eq!(outsider.taken(), 4);
    drop(others);
    assert_eq!(outsider.taken(), 1);
    drop(shared);
    assert_eq!(outsider.taken(), 0);
}

#[test]
fn threads_that_lock_first_at_once_take_one_seat_together() {
    let folder = Folder::new();
    let path = folder.join("file");
    for _ in 0..50 {
        let _ = std::fs::remove_file(&path);
        let shared = create(&path, 1);
        thread::scope(|threads| (0..8).for_each(|_| _ = threads.spawn(|| drop(lock(&shared)))));
        assert_eq!(Outsider::new(&path).taken(), 1);
    }
}

#[test]
fn when_all_seats_are_taken_the_next_one_is_told_so_and_those_who_sit_go_on() {
    let folder = Folder::new();
    let path = folder.join("file");
    let (shared, other) = (create(&path, 1), open(&path));
    let outsider = Outsider::new(&path);
    assert!(outsider.takes(0, SEATS));
    let no_seat = |shared: &Shared| {
        let error = shared.lock(SECOND).map(drop).unwrap_err();
        assert!(matches!(error, LockError::NoSeat) && error.to_string().contains("4096 seats"), "{error}");
    };
    no_seat(&shared);
    outsider.leaves(SEATS / 2, 1);
    drop(lock(&shared));
    no_seat(&other);
    drop(lock(&shared));
    // With it goes the lock that it never gave back.
    mem::forget(lock(&shared));
    drop(shared);
    drop(other.lock(Duration::ZERO).unwrap());
}

#[test]
fn seats_are_taken_again_and_again() {
    let folder = Folder::new();
    let path = folder.join("file");
    create(&path, 1);
    for _ in 0..3 * SEATS {
        drop(open(&path).lock(SECOND).unwrap());
    }
    assert_eq!(Outsider::new(&path).taken(), 0);
}

#[test]
fn a_program_that_was_started_keeps_no_seat_of_who_started_it() {
    const NAME: &str = "a_program_that_was_started_keeps_no_seat_of_who_started_it";
    if let Some((_, path)) = role() {
        return start_a_program_and_wait_to_be_killed(&path);
    }
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, WORDS);
    let mut worker = Worker::start(NAME, "owner", &path);
    await_that("the program runs", || get(&shared, PROGRAM) != 0);
    worker.kill();
    assert!(Path::new(&format!("/proc/{}", get(&shared, PROGRAM))).exists(), "it outlives who started it");
    drop(shared.lock(SECOND).unwrap());
    let program = Pid::from_raw(i32::try_from(get(&shared, PROGRAM)).unwrap()).unwrap();
    kill_process(program, Signal::KILL).unwrap();
}

const PROGRAM: usize = 0;
const WORDS: usize = 1;

/// With the lock.
fn start_a_program_and_wait_to_be_killed(path: &Path) {
    let shared = open(path);
    let _guard = lock(&shared);
    let mut program = Command::new("sleep").arg("60").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    set(&shared, PROGRAM, program.id().into());
    program.wait().unwrap();
}
