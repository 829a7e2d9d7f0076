//! A child that was forked has none of its parent's seats and holds none of its locks, whatever the parent's threads were doing.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![expect(unsafe_code, reason = "forks, with the C library and behind its back")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use scupper_shm::{LockError, Shared};
use scupper_testbed::Ends;
use support::{Folder, LONG, MILLISECOND, Worker, await_that, create, get, lock, open, role, set};

/// A forked child, which is killed with its value.
struct Forked(Pid);

/// How to fork.
#[derive(Clone, Copy)]
enum Way {
    /// As programs do.
    WithTheLibrary,
    /// By the system's call alone, so that nobody is told.
    BehindItsBack,
}

impl Way {
    /// The child's number, or zero in the child, which must need no thread that it does not have, and never return.
    fn fork(self) -> i32 {
        let number = match self {
            // SAFETY: both have their own copies of what there is, and the C library's allocator works in the child.
            Self::WithTheLibrary => unsafe { libc::fork() },
            Self::BehindItsBack => {
                // SAFETY: as above, as no memory is to be shared.
                let number = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
                i32::try_from(number).unwrap()
            }
        };
        assert!(number >= 0, "{}", std::io::Error::last_os_error());
        number
    }
}

impl Forked {
    fn new(way: Way, what: impl FnOnce()) -> Self {
        let number = way.fork();
        if let Some(child) = Pid::from_raw(number) {
            return Self(child);
        }
        let went_well = catch_unwind(AssertUnwindSafe(what)).is_ok();
        // SAFETY: ends the child as it is.
        unsafe { libc::_exit(i32::from(!went_well)) }
    }

    fn ends_well(self) {
        let start = Instant::now();
        loop {
            if let Some((_, status)) = waitpid(Some(self.0), WaitOptions::NOHANG).unwrap() {
                std::mem::forget(self);
                return assert_eq!(status.exit_status(), Some(0), "the child says why");
            }
            assert!(start.elapsed() < LONG, "a child does not end");
            thread::sleep(MILLISECOND / 5);
        }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
        let _ = waitpid(Some(self.0), WaitOptions::empty());
    }
}

#[test]
fn a_child_waits_for_the_lock_that_its_parent_holds_and_has_a_seat_of_its_own() {
    const WAITS: usize = 0;
    let folder = Folder::new();
    let shared = create(&folder.join("file"), 1);
    let guard = lock(&shared);
    let child = Forked::new(Way::WithTheLibrary, || {
        assert!(!guard.is_held());
        assert!(matches!(shared.lock(20 * MILLISECOND), Err(LockError::TimedOut)));
        set(&shared, WAITS, 1);
        drop(lock(&shared));
    });
    await_that("the child waits", || get(&shared, WAITS) == 1);
    assert!(guard.is_held());
    drop(guard);
    child.ends_well();
    drop(lock(&shared));
}

#[test]
fn a_guard_that_came_along_into_a_child_gives_nothing_back() {
    let folder = Folder::new();
    let path = folder.join("file");
    let (shared, other) = (create(&path, 1), open(&path));
    let mut guard = Some(lock(&shared));
    Forked::new(Way::WithTheLibrary, || drop(guard.take())).ends_well();
    assert!(matches!(other.lock(20 * MILLISECOND), Err(LockError::TimedOut)));
    // Nor if it is dropped when the child has the lock itself.
    let child = Forked::new(Way::WithTheLibrary, || {
        let inherited = guard.take();
        let own = shared.lock(LONG).unwrap();
        drop(inherited);
        assert!(own.is_held());
        assert!(matches!(other.lock(20 * MILLISECOND), Err(LockError::TimedOut)));
    });
    drop(guard.take());
    child.ends_well();
    drop(lock(&other));
}

#[test]
fn forks_while_threads_lock_and_take_seats_leave_parent_and_children_well() {
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, 2);
    let is_over = AtomicBool::new(false);
    let add_one = |shared: &Shared| {
        let _guard = shared.lock(LONG).unwrap();
        let count = get(shared, 0);
        assert_eq!(count, get(shared, 1), "nobody else has the lock");
        set(shared, 0, count + 1);
        set(shared, 1, count + 1);
    };
    let locks = || {
        while !is_over.load(Ordering::Relaxed) {
            add_one(&shared);
        }
    };
    let takes_seats = || {
        while !is_over.load(Ordering::Relaxed) {
            add_one(&open(&path));
        }
    };
    thread::scope(|threads| {
        let end = Ends(&is_over);
        let all = [threads.spawn(locks), threads.spawn(locks), threads.spawn(takes_seats), threads.spawn(takes_seats)];
        for _ in 0..300 {
            let child = Forked::new(Way::WithTheLibrary, || {
                (0..10).for_each(|_| add_one(&shared));
                add_one(&open(&path));
            });
            child.ends_well();
        }
        drop(end);
        for thread in all {
            thread.join().unwrap();
        }
    });
    assert_eq!(get(&shared, 0), get(&shared, 1));
}

#[test]
fn children_of_children_have_seats_of_their_own() {
    let folder = Folder::new();
    let shared = create(&folder.join("file"), 1);
    drop(lock(&shared));
    let child = Forked::new(Way::WithTheLibrary, || {
        let guard = lock(&shared);
        let grandchild = Forked::new(Way::WithTheLibrary, || {
            assert!(!guard.is_held());
            drop(lock(&shared));
        });
        drop(guard);
        grandchild.ends_well();
        drop(lock(&shared));
    });
    child.ends_well();
    drop(lock(&shared));
}

/// The words of a file on which a parent dies with the lock while its child lives on.
const CHILD: usize = 0;
const GO_ON: usize = 1;
const WENT_ON: usize = 2;
const WORDS: usize = 3;

fn a_parent_dies_with_the_lock(name: &str, way: Way) {
    if let Some((_, path)) = role() {
        return fork_with_the_lock(&path, way);
    }
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, WORDS);
    let mut parent = Worker::start(name, "parent", &path);
    await_that("the child lives", || get(&shared, CHILD) != 0);
    assert!(matches!(shared.lock(50 * MILLISECOND), Err(LockError::TimedOut)), "the parent lives and has it");
    parent.kill();
    drop(lock(&shared));
    set(&shared, GO_ON, 1);
    await_that("the child, too, goes on", || get(&shared, WENT_ON) == 1);
    drop(lock(&shared));
    let gone = || !Path::new(&format!("/proc/{}", get(&shared, CHILD))).exists() || is_zombie(get(&shared, CHILD));
    await_that("the child ends", gone);
}

fn is_zombie(process: u64) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

fn fork_with_the_lock(path: &Path, way: Way) {
    let shared = open(path);
    let guard = lock(&shared);
    let _child = Forked::new(way, || {
        set(&shared, CHILD, process::id().into());
        await_that("it may go on", || get(&shared, GO_ON) == 1);
        if let Way::WithTheLibrary = way {
            assert!(!guard.is_held());
            drop(lock(&shared));
        }
        set(&shared, WENT_ON, 1);
    });
    thread::sleep(3 * LONG);
}

#[test]
fn a_child_that_lives_on_does_not_keep_what_its_killed_parent_held() {
    a_parent_dies_with_the_lock("a_child_that_lives_on_does_not_keep_what_its_killed_parent_held", Way::WithTheLibrary);
}

#[test]
fn not_even_a_child_that_nobody_was_told_of_does() {
    a_parent_dies_with_the_lock("not_even_a_child_that_nobody_was_told_of_does", Way::BehindItsBack);
}

#[test]
fn who_closes_all_descriptors_keeps_his_seat_and_the_lock() {
    const HELD: usize = 0;
    const LET_GO: usize = 1;
    if let Some((_, path)) = role() {
        let shared = open(&path);
        let guard = lock(&shared);
        // SAFETY: as a daemon does; the opening, whose descriptor goes as well, is forgotten below.
        assert_eq!(unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) }, 0);
        set(&shared, HELD, 1);
        await_that("it may let go", || get(&shared, LET_GO) == 1);
        drop(guard);
        let child = Forked::new(Way::WithTheLibrary, || drop(lock(&shared)));
        child.ends_well();
        return std::mem::forget(shared);
    }
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, 2);
    let worker = Worker::start("who_closes_all_descriptors_keeps_his_seat_and_the_lock", "daemon", &path);
    await_that("the worker has the lock", || get(&shared, HELD) == 1);
    assert!(matches!(shared.lock(Duration::from_millis(100)), Err(LockError::TimedOut)));
    set(&shared, LET_GO, 1);
    drop(lock(&shared));
    worker.ends_well();
}
