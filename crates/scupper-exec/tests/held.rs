//! Signals that wait.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]
#![expect(unsafe_code, reason = "sends signals to itself, and has them do nothing")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use scupper_exec::Held;

/// Sends this to the calling thread.
fn raise(signal: i32) {
    // SAFETY: it has no memory of ours.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// What it does from now on.
fn set(signal: i32, action: libc::sighandler_t) {
    // SAFETY: both are the system's own.
    unsafe { libc::signal(signal, action) };
}

#[test]
fn a_signal_waits_and_is_told() {
    let held = Held::hold(&[libc::SIGUSR1, libc::SIGALRM]).unwrap();
    assert_eq!(held.pending(), None);
    raise(libc::SIGUSR1);
    assert_eq!(held.pending(), Some(libc::SIGUSR1));
    // Now it does nothing when it is let through, which takes it away.
    set(libc::SIGUSR1, libc::SIG_IGN);
    held.let_through(|| ());
    assert_eq!(held.pending(), None);
    set(libc::SIGUSR1, libc::SIG_DFL);
    // And it is held back again.
    raise(libc::SIGUSR1);
    assert_eq!(held.pending(), Some(libc::SIGUSR1));
    set(libc::SIGUSR1, libc::SIG_IGN);
}

#[test]
fn one_that_is_ignored_or_held_back_already_is_of_no_interest() {
    set(libc::SIGUSR2, libc::SIG_IGN);
    let outer = Held::hold(&[libc::SIGTERM]).unwrap();
    let inner = Held::hold(&[libc::SIGTERM, libc::SIGUSR2]).unwrap();
    raise(libc::SIGTERM);
    raise(libc::SIGUSR2);
    assert_eq!((outer.pending(), inner.pending()), (Some(libc::SIGTERM), None));
    // It stays held back by whoever did so first.
    inner.let_through(|| assert_eq!(outer.pending(), Some(libc::SIGTERM)));
    drop(inner);
    assert_eq!(outer.pending(), Some(libc::SIGTERM));
    set(libc::SIGTERM, libc::SIG_IGN);
}

#[test]
fn what_one_holds_back_stays_so_whatever_another_lets_through_in_any_order() {
    let (first, second) = (Held::hold(&[libc::SIGVTALRM]).unwrap(), Held::hold(&[libc::SIGPROF]).unwrap());
    raise(libc::SIGVTALRM);
    raise(libc::SIGPROF);
    set(libc::SIGVTALRM, libc::SIG_IGN);
    first.let_through(|| assert_eq!(second.pending(), Some(libc::SIGPROF)));
    assert_eq!(second.pending(), Some(libc::SIGPROF));
    drop(first);
    assert_eq!(second.pending(), Some(libc::SIGPROF));
    set(libc::SIGPROF, libc::SIG_IGN);
}

#[test]
fn a_panic_leaves_them_held_back() {
    let held = Held::hold(&[libc::SIGHUP]).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| held.let_through(|| std::panic::resume_unwind(Box::new(())))));
    assert!(panicked.is_err());
    raise(libc::SIGHUP);
    assert_eq!(held.pending(), Some(libc::SIGHUP));
    set(libc::SIGHUP, libc::SIG_IGN);
}

#[test]
fn numbers_that_no_signal_has_are_of_no_interest() {
    let held = Held::hold(&[0, -1, 1_000_000]).unwrap();
    assert_eq!(held.pending(), None);
}
