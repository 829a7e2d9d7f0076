//! The store's time goes on over reboots, and never back.

use crate::quota::{Algorithm, Quota};
use crate::store::batch::Operation;
use crate::store::host_clock::{Host, TestHost};
use crate::store::outcome::{Reply, Verdict};
use crate::store::shared_memory::trial::audit::audit;
use crate::store::shared_memory::trial::memory::{Memory, hash, host};

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600 * SECOND;

fn acquire(memory: &Memory, host: &TestHost, quota: &Quota) -> Verdict {
    match memory.keeper(host).apply(hash("key"), &Operation::acquire("key", quota, 1)) {
        Ok(Reply::Acquired(verdict)) => verdict,
        other => panic!("{other:?} to an acquire"),
    }
}

/// Microseconds until the next unit, none if it was admitted.
fn wait(verdict: Verdict) -> Option<u64> {
    match verdict {
        Verdict::Denied(denial) => Some(denial.retry_at.as_micros() - denial.now.as_micros()),
        _ => None,
    }
}

#[test]
fn promise_6_what_was_taken_before_a_reboot_counts_after_it() {
    for (wall_passed, left) in [(0, HOUR + 1 - 7 * SECOND), (10 * 60 * SECOND, HOUR + 1 - 600 * SECOND), (HOUR, 1)] {
        let (memory, host) = (Memory::new(64 * 1024), host());
        let quota = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
        assert_eq!(wait(acquire(&memory, &host, &quota)), None);
        host.reboot(7 * SECOND, Memory::WALL + wall_passed);
        assert_eq!(wait(acquire(&memory, &host, &quota)), Some(left), "the wall clock went on by {wall_passed}");
        host.pass(left - 1);
        assert_eq!(wait(acquire(&memory, &host, &quota)), Some(1));
        host.pass(1);
        assert_eq!(wait(acquire(&memory, &host, &quota)), None);
    }
}

#[test]
fn promise_6_a_wall_clock_that_is_behind_after_a_reboot_frees_nothing() {
    let (memory, host) = (Memory::new(64 * 1024), host());
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
    acquire(&memory, &host, &quota);
    for boot in 1..4 {
        host.reboot(boot, Memory::WALL - boot * 24 * HOUR);
        // But for the microseconds since each boot.
        let since_boots = boot * (boot + 1) / 2;
        assert_eq!(wait(acquire(&memory, &host, &quota)), Some(HOUR + 1 - since_boots));
    }
}

#[test]
fn promise_6_a_wall_clock_that_is_ahead_after_a_reboot_ages_by_as_much() {
    let (memory, host) = (Memory::new(64 * 1024), host());
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
    acquire(&memory, &host, &quota);
    host.reboot(3, Memory::WALL + 2 * HOUR);
    assert_eq!(wait(acquire(&memory, &host, &quota)), None);
}

#[test]
fn promise_6_fixed_windows_begin_with_the_hours_of_the_wall_clock() {
    let (memory, host) = (Memory::new(64 * 1024), host());
    let quota = Quota::new(Algorithm::FixedWindow, "1/h").unwrap();
    acquire(&memory, &host, &quota);
    assert_eq!(wait(acquire(&memory, &host, &quota)), Some(HOUR - Memory::WALL % HOUR));
}

#[test]
fn promise_6_the_wall_clock_set_while_the_host_runs_changes_nothing() {
    let (memory, host) = (Memory::new(64 * 1024), host());
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
    acquire(&memory, &host, &quota);
    host.set(0, host.since_boot(), Memory::WALL + 100 * HOUR);
    host.pass(5 * SECOND);
    assert_eq!(wait(acquire(&memory, &host, &quota)), Some(HOUR + 1 - 5 * SECOND));
    // It was seen, and over the next reboot only what passed since counts.
    host.reboot(1, Memory::WALL + 100 * HOUR + 6 * SECOND);
    assert_eq!(wait(acquire(&memory, &host, &quota)), Some(HOUR + 1 - 6 * SECOND));
}

#[test]
fn promise_6_a_death_while_the_clock_is_set_on_leaves_it_before_or_after() {
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1/h").unwrap();
    for life in 0..60 {
        let (memory, host) = (Memory::new(64 * 1024), host());
        acquire(&memory, &host, &quota);
        host.reboot(7 * SECOND, Memory::WALL + 60 * SECOND);
        memory.dies_after(life);
        let _ = memory.keeper(&host).apply(hash("key"), &Operation::acquire("key", &quota, 1));
        memory.is_born_again();
        audit(&memory);
        assert_eq!(wait(acquire(&memory, &host, &quota)), Some(HOUR + 1 - 60 * SECOND), "dead after {life} stores");
    }
}
