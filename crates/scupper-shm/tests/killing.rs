//! Processes that are killed wherever they are: the others always have the lock within a second, and never two at once.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod support;

use std::path::Path;
use std::process::id;
use std::time::{Duration, Instant};
use std::{hint, thread};

use scupper_shm::Shared;
use support::{Folder, LONG, Random, SECOND, Worker, await_that, create, get, lock, open, role, set};

const NAME: &str = "the_lock_survives_thousands_of_kills_and_is_never_held_twice";
const KILLS: u64 = 2_200;
const WORKERS: usize = 4;
/// How many of them die at one time.
const AT_ONCE: usize = 2;

/// The words. The first two are the same unless someone died in between.
const FIRST: usize = 0;
const SECOND_OF_PAIR: usize = 1;
/// Who has the lock.
const INSIDE: usize = 2;
/// How many died with it.
const DIED_INSIDE: usize = 3;
/// How many saw another one inside.
const VIOLATIONS: usize = 4;
const OVER: usize = 5;
const WORDS: usize = 6;

/// Takes the lock, sets right what a dead one left, and adds one to each of the pair.
fn section(shared: &Shared, me: u64, random: &mut Random) {
    let start = Instant::now();
    let guard = lock(shared);
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    let before = get(shared, INSIDE);
    if before != 0 {
        set(shared, DIED_INSIDE, get(shared, DIED_INSIDE) + 1);
    }
    set(shared, INSIDE, me);
    let count = get(shared, FIRST);
    // A dead one did the first half, or none, or all.
    let was_whole = count == get(shared, SECOND_OF_PAIR) || before != 0;
    set(shared, FIRST, count + 1);
    for _ in 0..random.below(200) {
        hint::spin_loop();
    }
    set(shared, SECOND_OF_PAIR, count + 1);
    let is_alone = get(shared, INSIDE) == me && get(shared, FIRST) == count + 1;
    if !(was_whole && is_alone) {
        shared.words()[VIOLATIONS].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    set(shared, INSIDE, 0);
    drop(guard);
}

/// Two threads, as an owner's death takes all of them.
fn work(path: &Path) {
    let shared = open(path);
    thread::scope(|threads| {
        for thread in 0..2 {
            let shared = &shared;
            threads.spawn(move || {
                let me = u64::from(id()) << 1 | thread;
                let mut random = Random::new(me);
                while get(shared, OVER) == 0 {
                    section(shared, me, &mut random);
                }
            });
        }
    });
}

#[test]
fn the_lock_survives_thousands_of_kills_and_is_never_held_twice() {
    if let Some((_, path)) = role() {
        return work(&path);
    }
    let folder = Folder::new();
    let path = folder.join("file");
    let shared = create(&path, WORDS);
    let start = |_| Worker::start(NAME, "work", &path);
    let mut workers: Vec<Worker> = (0..WORKERS).map(start).collect();
    let (mut random, mut waits) = (Random::new(1), Vec::new());
    let me = u64::from(id()) << 1;
    let mut kills = 0;
    while kills < KILLS {
        let count = get(&shared, FIRST);
        await_that("they work", || get(&shared, FIRST) > count + 10);
        // Not to see what happens, but for the instant to be any.
        thread::sleep(Duration::from_micros(random.below(1_500)));
        workers.rotate_left(1);
        let victims = &mut workers[..AT_ONCE];
        for victim in &mut *victims {
            victim.0.kill().unwrap();
        }
        victims.iter_mut().for_each(Worker::kill);
        kills += AT_ONCE as u64;
        let start_of_wait = Instant::now();
        section(&shared, me, &mut random);
        waits.push(start_of_wait.elapsed());
        assert_eq!(get(&shared, VIOLATIONS), 0, "after {kills} kills");
        victims.fill_with(|| start(0));
    }
    // But for a machine that stands still now and then.
    let slow = waits.iter().filter(|wait| **wait >= SECOND).count();
    assert!(slow * 100 <= waits.len(), "{slow} of {} waits were longer than a second", waits.len());
    let slowest = waits.into_iter().max().unwrap();
    let died = get(&shared, DIED_INSIDE);
    assert!((kills / 100..=kills).contains(&died), "{died} died with the lock, of {kills}");
    set(&shared, OVER, 1);
    workers.into_iter().for_each(Worker::ends_well);
    drop(lock(&shared));
    assert_eq!(get(&shared, FIRST), get(&shared, SECOND_OF_PAIR));
    println!("{died} of {kills} died with the lock; the longest wait was {slowest:?}");
}
