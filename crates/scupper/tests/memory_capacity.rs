//! A memory store with a maximum of keys.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::thread;
use std::time::Duration;

use scupper::store::{Batch, Operation, Store};
use scupper::{ErrorKind, Limiter, ManualTimer, MemoryStore, Quota, Rate, Timestamp};

const MOST: u64 = 10;

fn full() -> (ManualTimer, MemoryStore, Limiter) {
    let timer = ManualTimer::new();
    let store = MemoryStore::builder().timer(timer.clone()).max_keys(MOST).build();
    let rate = Rate::per_second(2).unwrap();
    let limiter = Limiter::builder().rate(rate).store(store.clone()).timer(timer.clone()).build().unwrap();
    for number in 0..MOST {
        let key = format!("old {number}");
        assert_eq!(limiter.request(&key).weight(2).acquire().unwrap().tick(), Timestamp::ZERO);
    }
    (timer, store, limiter)
}

#[test]
fn a_full_store_answers_a_new_key_with_an_error_and_not_with_a_denial() {
    let (_timer, store, limiter) = full();
    let error = limiter.try_acquire("new").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity);
    assert!(error.is_transient() && error.to_string().contains("10"), "{error}");
    assert_eq!(limiter.acquire("new").unwrap_err().kind(), ErrorKind::Capacity, "nor does it wait");
    assert_eq!(limiter.bucket("new").unwrap_err().kind(), ErrorKind::Capacity);
    assert_eq!(limiter.penalize("new", 1).unwrap_err().kind(), ErrorKind::Capacity);
    assert_eq!(limiter.hold("new", Duration::from_secs(1)).unwrap_err().kind(), ErrorKind::Capacity);
    assert_eq!(store.len(), 10);
}

#[test]
fn promise_7_a_full_store_never_gives_up_what_still_owes() {
    let (timer, _store, limiter) = full();
    timer.advance(Duration::from_secs(1));
    for number in 0..1_000 {
        assert_eq!(limiter.try_acquire(&format!("new {number}")).unwrap_err().kind(), ErrorKind::Capacity);
    }
    for number in 0..MOST {
        assert!(!limiter.try_acquire(&format!("old {number}")).unwrap().is_admitted(), "its window has not ended");
    }
}

#[test]
fn a_full_store_has_room_as_soon_as_one_bucket_can_leave() {
    let (timer, store, limiter) = full();
    timer.advance(Duration::from_millis(500));
    limiter.penalize("old 3", 1).unwrap();
    // Too early for the housekeeping, which comes a second later: whoever needs room makes it.
    timer.advance(Duration::from_micros(500_001));
    for number in 0..MOST - 1 {
        assert!(limiter.try_acquire(&format!("new {number}")).unwrap().is_admitted());
    }
    assert_eq!(store.len(), 10);
    assert_eq!(limiter.try_acquire("one more").unwrap_err().kind(), ErrorKind::Capacity);
    assert_eq!(limiter.peek("old 3").unwrap().usage[0].used, 1, "the one that owed is there");
}

#[test]
fn what_needs_no_room_works_on_a_full_store() {
    let (_timer, store, limiter) = full();
    assert_eq!(limiter.peek("new").unwrap().usage[0].remaining, 2);
    assert!(!limiter.try_acquire("old 1").unwrap().is_admitted());
    assert!(!limiter.reset("new").unwrap());
    assert_eq!(limiter.request("new").weight(3).acquire().unwrap_err().kind(), ErrorKind::NeverFits);
    assert_eq!(store.len(), 10);
}

#[test]
fn in_a_batch_only_the_new_key_has_no_room() {
    let (_timer, store, _limiter) = full();
    let quota = Quota::new(scupper::Algorithm::default(), Rate::per_second(2).unwrap()).unwrap();
    let outcomes = store
        .submit(Batch::new(&[
            Operation::acquire("old 1", &quota, 1),
            Operation::acquire("new", &quota, 1),
            Operation::acquire("new", &quota, 1),
            Operation::acquire("old 2", &quota, 1),
        ]))
        .wait();
    assert!(outcomes[0].is_ok() && outcomes[3].is_ok(), "{outcomes:?}");
    for outcome in &outcomes[1..3] {
        assert_eq!(outcome.as_ref().unwrap_err().kind(), ErrorKind::Capacity);
    }
}

#[test]
fn many_threads_do_not_overfill_it() {
    let store = MemoryStore::builder().max_keys(100).build();
    let limiter = Limiter::builder().rate(Rate::per_hour(1).unwrap()).store(store.clone()).build().unwrap();
    let admitted: usize = thread::scope(|scope| {
        let work = |own: usize| {
            let limiter = limiter.clone();
            move || {
                let keys = (0..100).map(|number| format!("{own} {number}"));
                keys.filter(|key| limiter.try_acquire(key).is_ok_and(|decision| decision.is_admitted())).count()
            }
        };
        let threads: Vec<_> = (0..4).map(|own| scope.spawn(work(own))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((admitted, store.len()), (100, 100));
}
