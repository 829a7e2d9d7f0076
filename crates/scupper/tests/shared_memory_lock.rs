//! The lock of shared memory: one who keeps it holds up the others for as long as they are told to wait, and one who writes into
//! the file without it does no worse than to spoil it.
#![cfg(all(feature = "shared-memory", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use scupper::store::{Action, Batch, Operation, Outcome, Reply, Standing, Store, Submission, Verdict};
use scupper::{Algorithm, Cause, ErrorKind, Limiter, Quota, SharedMemoryStore};
use scupper_shm::Shared;
use scupper_testbed::{Ends, await_that};
use support::shared_memory::Place;
use support::{MILLISECOND, SECOND};

fn quota(rates: &str) -> Quota {
    Quota::new(Algorithm::SlidingWindowLog, rates).unwrap()
}

fn submit(store: &SharedMemoryStore, operation: Operation<'_>) -> Outcome {
    store.submit((&operation).into()).wait().pop().unwrap()
}

#[test]
fn promise_8_a_lock_that_is_kept_is_an_error_after_the_timeout_and_nothing_is_taken() {
    let place = Place::new();
    let store = SharedMemoryStore::open(&place.url("?timeout=50ms")).unwrap();
    let quota = quota("1/h");
    let file = Shared::open(place.path()).unwrap().unwrap();
    let kept = file.lock(SECOND).unwrap();
    let operations = [
        Operation::acquire("key", &quota, 1),
        Operation::new("key", Action::Peek { quota: &quota }),
        Operation::new("key", Action::List { after: None, most: 9 }),
        Operation::new("key", Action::Reset),
    ];
    for operation in operations {
        let start = Instant::now();
        let error = submit(&store, operation).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("stopped in the middle of a decision"), "{error}");
        assert!((50 * MILLISECOND..5 * SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
    assert_eq!(store.acquire_at_once("key", &quota, 1), None);
    let run = [Operation::acquire("key", &quota, 1), Operation::acquire("key", &quota, 1)];
    let outcomes = store.submit(Batch::new(&run)).wait();
    assert!(outcomes.len() == 2 && outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().is_transient()));

    drop(kept);
    let after = submit(&store, operations[0]).unwrap();
    assert!(matches!(after, Reply::Acquired(Verdict::Admitted(_))), "{after:?}");
}

#[test]
fn the_timeout_is_each_openings_own() {
    let place = Place::new();
    let patient = SharedMemoryStore::open(&place.url("?timeout=10s")).unwrap();
    let hasty = SharedMemoryStore::builder(&place.url("?timeout=10s")).lock_within(MILLISECOND).open().unwrap();
    let quota = quota("5/h");
    let file = Shared::open(place.path()).unwrap().unwrap();
    thread::scope(|threads| {
        let kept = file.lock(SECOND).unwrap();
        let waits = threads.spawn(|| submit(&patient, Operation::acquire("key", &quota, 1)).is_ok());
        assert!(submit(&hasty, Operation::acquire("key", &quota, 1)).is_err());
        drop(kept);
        assert!(waits.join().unwrap());
    });
}

#[test]
fn a_run_on_one_key_is_one_and_keeps_its_line() {
    let place = Place::new();
    let store = SharedMemoryStore::open(&place.url("")).unwrap();
    let quota = quota("5/h");
    let wait =
        |key, weight| Operation::new(key, Action::Acquire { quota: &quota, weight, standing: Standing::Waiting });
    let run = [wait("key", 3), wait("key", 4), wait("key", 1), wait("other", 5), wait("key", 9)];
    let outcomes = store.submit(Batch::new(&run)).wait();
    let is_admitted = |outcome: &Outcome| matches!(outcome, Ok(Reply::Acquired(Verdict::Admitted(_))));
    assert_eq!(outcomes.iter().map(is_admitted).collect::<Vec<_>>(), [true, false, false, true, false]);
}

#[test]
fn acquires_at_once_are_those_of_submit() {
    let place = Place::new();
    let store = SharedMemoryStore::open(&place.url("")).unwrap();
    let quota = quota("3/h");
    assert!(matches!(store.acquire_at_once("new", &quota, 1), Some(Verdict::Admitted(_))));
    for weight in [0, u64::MAX] {
        assert_eq!(store.acquire_at_once("new", &quota, weight), None, "what cannot be is for submit to say");
    }
    assert!(matches!(store.acquire_at_once("new", &quota, 4), Some(Verdict::NeverFits { rate: 0 })));
    let other = Quota::new(Algorithm::Gcra, "3/h").unwrap();
    assert_eq!(store.acquire_at_once("new", &other, 1), None, "nor has an error an answer");
    let limiter = Limiter::builder().rates(["3/h".parse().unwrap()]).store(store.clone()).build().unwrap();
    let permits: Vec<_> = (0..3).map(|_| limiter.acquire("key").unwrap()).collect();
    assert!(matches!(store.acquire_at_once("key", &quota, 1), Some(Verdict::Denied(denial)) if denial.rate == Some(0)));
    limiter.request("key").timeout(Duration::ZERO).acquire().unwrap_err();
    limiter.refund(permits.into_iter().next().unwrap()).unwrap();
    assert!(matches!(store.acquire_at_once("key", &quota, 1), Some(Verdict::Admitted(_))));
}

/// As a program with a stray pointer would, and without a lock.
fn scribble(file: &Shared, is_over: &AtomicBool) {
    let words = file.words();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    while !is_over.load(Ordering::Relaxed) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let place = usize::try_from(random % words.len() as u64).unwrap();
        // Zeros and small numbers are more likely to be taken for something.
        words[place].store(if random.is_multiple_of(3) { random } else { random >> (random % 64) }, Ordering::Relaxed);
        if random.is_multiple_of(64) {
            thread::yield_now();
        }
    }
}

#[test]
fn a_file_that_is_written_into_gives_errors_and_no_end_of_the_process() {
    let quota = [quota("5/ms, 40/20ms"), Quota::new(Algorithm::Gcra, "5/ms").unwrap()];
    for _ in 0..12 {
        let place = Place::new();
        let store = SharedMemoryStore::open(&place.url("?size=64KiB&timeout=200ms")).unwrap();
        let file = Shared::open(place.path()).unwrap().unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|threads| {
            let _end = Ends(&is_over);
            threads.spawn(|| scribble(&file, &is_over));
            for nth in 0..3_000_u64 {
                let (key, quota) = (format!("key {}", nth % 50), &quota[usize::try_from(nth % 2).unwrap()]);
                let action = match nth % 5 {
                    0 => Action::Penalize { quota, units: 1 },
                    1 => Action::Peek { quota },
                    2 => Action::List { after: None, most: 3 },
                    _ => Action::Acquire { quota, weight: 1, standing: Standing::Alone },
                };
                let start = Instant::now();
                let _ = submit(&store, Operation::new(&key, action));
                assert!(start.elapsed() < 5 * SECOND, "{:?}", start.elapsed());
            }
        });
        drop(store);
        // Whoever opens it now may see that it is spoilt; deleted, it is made anew.
        let _ = SharedMemoryStore::open(&place.url(""));
        std::fs::remove_file(place.path()).unwrap();
        let new = SharedMemoryStore::open(&place.url("")).unwrap();
        assert!(submit(&new, Operation::acquire("key", &quota[0], 1)).is_ok());
    }
}

#[test]
fn who_must_not_block_is_answered_later_while_the_lock_is_kept() {
    let place = Place::new();
    let store = SharedMemoryStore::open(&place.url("?timeout=20s")).unwrap();
    let quota = quota("9/h");
    let file = Shared::open(place.path()).unwrap().unwrap();
    let kept = file.lock(SECOND).unwrap();
    let keys: Vec<String> = (0..8).map(|nth| format!("key {nth}")).collect();
    let batch: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 1)).collect();
    // None of them waits for the lock, however patient the store is.
    let (first, gone, later) = (Batch::new(&batch), Batch::new(&batch[..1]), Batch::new(&batch[1..3]));
    let submissions = [first, gone, later].map(|batch| store.submit(batch));
    assert!(submissions.iter().all(|submission| matches!(submission, Submission::Pending(_))));
    let [first, gone, later] = submissions;
    drop(gone);
    let limiter = Limiter::builder().rates(["9/h".parse().unwrap()]).store(store.clone()).build().unwrap();
    let start = Instant::now();
    let late = limiter.request("other").timeout(20 * MILLISECOND).acquire().unwrap_err();
    assert!(matches!(late.kind(), ErrorKind::Timeout | ErrorKind::Unknown), "{late}");
    assert!(start.elapsed() < 10 * SECOND, "{:?}", start.elapsed());
    drop(kept);
    assert!(first.wait().iter().chain(&later.wait()).all(Result::is_ok));
    let used = |key| match submit(&store, Operation::new(key, Action::Peek { quota: &quota })).unwrap() {
        Reply::Peeked(snapshot) => snapshot.usage[0].used,
        other => panic!("{other:?}"),
    };
    assert_eq!([used("key 0"), used("key 1"), used("key 7")], [1, 2, 1], "who went away has taken nothing");
}

#[test]
fn all_of_a_batch_waits_no_longer_than_one() {
    let place = Place::new();
    let store = SharedMemoryStore::open(&place.url("?timeout=300ms")).unwrap();
    let quota = quota("9/h");
    let file = Shared::open(place.path()).unwrap().unwrap();
    let _kept = file.lock(SECOND).unwrap();
    let keys: Vec<String> = (0..64).map(|nth| format!("key {nth}")).collect();
    let batch: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 1)).collect();
    let start = Instant::now();
    let outcomes = store.submit(Batch::new(&batch)).wait();
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().kind() == ErrorKind::Unavailable));
    // Sixty-four times as long would be twenty seconds.
    assert!((300 * MILLISECOND..10 * SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[test]
fn promise_2_where_all_else_is_idle_one_large_log_has_room() {
    let place = Place::new();
    let store = SharedMemoryStore::open(&place.url("?size=2MiB&timeout=20s")).unwrap();
    let brief = quota("1000/4s");
    let full = (0..100_000).find(|nth| submit(&store, Operation::acquire(&format!("key {nth}"), &brief, 1)).is_err());
    assert!(full.is_some_and(|full| full > 1_000), "{full:?}");
    // Small blocks everywhere, of which larger ones can be made once those that owe nothing are given up.
    await_that("all of them are idle", || {
        let list = Operation::new("", Action::List { after: None, most: 1 });
        matches!(submit(&store, list).unwrap(), Reply::Listed(page) if page.keys.is_empty() && page.next.is_none())
    });
    let large = quota("1000000/h");
    for nth in 0..20_000 {
        let outcome = submit(&store, Operation::acquire("one large log", &large, 1));
        assert!(outcome.is_ok(), "unit {nth}: {outcome:?}");
    }
}

#[test]
fn what_takes_many_pieces_holds_up_neither_the_thread_that_asks_nor_the_batch_beyond_the_timeout() {
    let place = Place::new();
    let store = SharedMemoryStore::open(&place.url("?size=8MiB&timeout=20s")).unwrap();
    let hasty = SharedMemoryStore::open(&place.url("?timeout=1ms")).unwrap();
    let quota = quota("1/h");
    let keys = (0..200_000).map(|nth| format!("key {nth}"));
    let mut full = None;
    for key in keys {
        match store.submit((&Operation::acquire(&key, &quota, 1)).into()) {
            Submission::Ready(outcomes) => assert!(outcomes[0].is_ok(), "{outcomes:?}"),
            // All of it is searched for room, by another thread.
            pending @ Submission::Pending(_) => {
                full = pending.wait().pop();
                break;
            }
        }
    }
    let error = full.unwrap().unwrap_err();
    assert!(error.kind() == ErrorKind::Capacity && error.message().contains("scupper-test"), "{error}");

    // Shortly after it was in vain, it is not searched again.
    let search = || submit(&hasty, Operation::acquire("new", &quota, 1)).unwrap_err();
    await_that("it is searched again", || search().kind() == ErrorKind::Unavailable);
    assert!(search().message().contains("longer than the store's timeout"));

    let list = Operation::new("", Action::List { after: None, most: usize::MAX });
    let first = Operation::new("first", Action::Peek { quota: &quota });
    let waiting = |key| Operation::new(key, Action::Acquire { quota: &quota, weight: 1, standing: Standing::Waiting });
    let batch = [waiting("key 1"), first, list, waiting("key 1"), Operation::new("key 2", Action::Reset)];
    let submission = store.submit(Batch::new(&batch));
    assert!(matches!(submission, Submission::Pending(_)));
    let outcomes = submission.wait();
    assert!(matches!(outcomes[2], Ok(Reply::Listed(ref page)) if page.keys.len() > 1_000), "{:?}", outcomes[2]);
    let denials: Vec<_> = [0, 3].map(|nth| outcomes[nth].as_ref().unwrap()).into();
    assert!(matches!(denials[0], Reply::Acquired(Verdict::Denied(denial)) if denial.cause == Cause::Full));
    assert!(matches!(denials[1], Reply::Acquired(Verdict::Denied(denial)) if denial.cause == Cause::Queued));
    assert!(matches!(outcomes[1], Ok(Reply::Peeked(_))) && matches!(outcomes[4], Ok(Reply::Reset(true))));
    assert_eq!(outcomes.len(), batch.len());

    let outcomes = hasty.submit(Batch::new(&batch)).wait();
    let kinds: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().err().map(scupper::Error::kind)).collect();
    let late = Some(ErrorKind::Unavailable);
    assert_eq!(kinds, [None, None, late, late, late], "what was done is told");
}
