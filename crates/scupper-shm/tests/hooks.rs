//! Hooks run around each fork, once each, those registered last on the outside.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

#[path = "support/child.rs"]
mod child;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{process, thread};

use child::Child;
use scupper_shm::fork::{Hooks, register};
use scupper_testbed::Ends;

static SEEN: Mutex<Vec<(&str, u32)>> = Mutex::new(Vec::new());

struct Noting([&'static str; 3]);

impl Noting {
    fn note(&self, at: usize) {
        SEEN.lock().unwrap().push((self.0[at], process::id()));
    }
}

impl Hooks for Noting {
    fn before(&self) {
        self.note(0);
    }

    fn after_in_parent(&self) {
        self.note(1);
    }

    fn after_in_child(&self) {
        self.note(2);
    }
}

/// A size gives it an address of its own.
struct Quiet(#[expect(dead_code, reason = "is not looked at")] u8);

impl Hooks for Quiet {
    fn before(&self) {}
    fn after_in_parent(&self) {}
    fn after_in_child(&self) {}
}

/// Forks; whether what the child makes of it is true.
fn fork(is_so_in_the_child: impl FnOnce() -> bool) -> bool {
    Child::fork(|| is_so_in_the_child().into()).given() == 1
}

#[test]
fn hooks_run_once_around_each_fork_and_forks_wait_for_those_who_register() {
    static QUIET: Quiet = Quiet(0);
    static FIRST: Noting = Noting(["first before", "first in parent", "first in child"]);
    static SECOND: Noting = Noting(["second before", "second in parent", "second in child"]);
    for _ in 0..3 {
        register(&FIRST).unwrap();
        register(&SECOND).unwrap();
    }
    let parent = process::id();
    for _ in 0..3 {
        SEEN.lock().unwrap().clear();
        let is_so = fork(|| {
            let child = process::id();
            let expected = [
                ("second before", parent),
                ("first before", parent),
                ("first in child", child),
                ("second in child", child),
            ];
            *SEEN.lock().unwrap() == expected
        });
        assert!(is_so, "in the child it was otherwise");
        let expected = ["second before", "first before", "first in parent", "second in parent"];
        assert_eq!(*SEEN.lock().unwrap(), expected.map(|what| (what, parent)));
    }

    // These note nothing: a child might find the notes locked.
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = Ends(&is_over);
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                register(&QUIET).unwrap();
            }
        });
        assert!((0..200).all(|_| fork(|| register(&QUIET).is_ok())));
    });
}
