//! What room there is, is used, and where there is none, that is an error.

use crate::error::ErrorKind;
use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation, Standing};
use crate::store::host_clock::TestHost;
use crate::store::outcome::{Outcome, Reply, Verdict};
use crate::store::shared_memory::trial::audit::audit;
use crate::store::shared_memory::trial::memory::{Memory, host};

fn log(rates: &str) -> Quota {
    Quota::new(Algorithm::SlidingWindowLog, rates).unwrap()
}

/// As evenly spread as the real one.
fn spread(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn acquire(memory: &Memory, host: &TestHost, key: &str, quota: &Quota) -> Outcome {
    memory.loads.set(0);
    let outcome = memory.keeper(host).apply(spread(key), &Operation::acquire(key, quota, 1));
    assert!(memory.loads.get() < 200_000, "a full table is not looked through as a whole");
    outcome
}

fn is_admitted(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Reply::Acquired(Verdict::Admitted(_))))
}

#[test]
fn a_full_table_is_an_error_of_its_own_and_serves_the_keys_that_it_has() {
    let (memory, host, quota) = (Memory::new(256 * 1024), host(), log("5/s"));
    let full = (0..100_000).find(|nth| acquire(&memory, &host, &format!("key {nth}"), &quota).is_err()).unwrap();
    assert!(full > 500, "{full} keys");
    let error = acquire(&memory, &host, "one more", &quota).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity);
    assert!(error.message().contains("?size=1MiB"), "says what would be right: {error}");
    assert_eq!(audit(&memory).len(), full);
    for nth in 0..full {
        assert!(is_admitted(&acquire(&memory, &host, &format!("key {nth}"), &quota)));
    }
    // A look at a key that is not there needs no room.
    let look = Operation::new("one more", Action::Peek { quota: &quota });
    assert!(memory.keeper(&host).apply(spread("one more"), &look).is_ok());
}

#[test]
fn promise_7_keys_that_are_idle_make_room_for_others() {
    let (memory, host, quota) = (Memory::new(256 * 1024), host(), log("5/ms"));
    for nth in 0..20_000 {
        host.pass(10);
        assert!(is_admitted(&acquire(&memory, &host, &format!("key {nth}"), &quota)), "key {nth}");
    }
    assert!(audit(&memory).len() < 1_500);
}

#[test]
fn promise_7_once_all_are_idle_a_full_table_is_as_good_as_new() {
    let (memory, host, quota) = (Memory::new(256 * 1024), host(), log("5/s"));
    for round in 0..3 {
        let key = |nth: usize| format!("{round}: {nth}");
        let full = (0..100_000).find(|nth| acquire(&memory, &host, &key(*nth), &quota).is_err()).unwrap();
        assert!(full > 500, "{full} keys in round {round}");
        host.pass(1_000_001);
    }
}

#[test]
fn a_log_for_which_there_is_no_room_is_an_error_and_loses_nothing() {
    let (memory, host, quota) = (Memory::new(64 * 1024), host(), log("1000000000/h"));
    let mut taken = 0;
    let error = loop {
        host.pass(1);
        match acquire(&memory, &host, "key", &quota) {
            Err(error) => break error,
            Ok(_) => taken += 1,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Capacity);
    assert!(taken > 500, "{taken} units had room");
    assert!(acquire(&memory, &host, "key", &quota).is_err(), "it is no denial");
    let look = Operation::new("key", Action::Peek { quota: &quota });
    let Ok(Reply::Peeked(snapshot)) = memory.keeper(&host).apply(spread("key"), &look) else { panic!("no look") };
    assert_eq!(snapshot.usage[0].used, taken);
    // Units of one tick take one place.
    assert!(is_admitted(&acquire(&memory, &host, "other", &quota)));
    audit(&memory);
    host.pass(3_600_000_001);
    assert!(is_admitted(&acquire(&memory, &host, "key", &quota)));
}

#[test]
fn operations_take_no_longer_the_longer_a_log_is() {
    let (memory, host, quota) = (Memory::new(4 * 1024 * 1024), host(), log("1000000/h, 2000000/d"));
    let mut last = None;
    for _ in 0..40_000 {
        host.pass(1);
        if let Ok(Reply::Acquired(Verdict::Admitted(admission))) = acquire(&memory, &host, "key", &quota) {
            last = Some(admission);
        }
    }
    let actions = [
        Action::Peek { quota: &quota },
        Action::Refund(last.unwrap()),
        Action::Penalize { quota: &quota, units: 3 },
        Action::Acquire { quota: &quota, weight: 7, standing: Standing::Alone },
    ];
    for action in actions {
        host.pass(1);
        memory.loads.set(0);
        memory.keeper(&host).apply(spread("key"), &Operation::new("key", action)).unwrap();
        assert!(memory.loads.get() < 1_000, "{} words for {action:?}", memory.loads.get());
    }
}

#[test]
fn promise_7_penalties_without_end_do_not_fill_the_memory() {
    let (memory, host, quota) = (Memory::new(4 * 1024 * 1024), host(), log("1/w"));
    for _ in 0..150_000 {
        host.pass(1);
        let penalty = Operation::new("key", Action::Penalize { quota: &quota, units: 1 });
        memory.keeper(&host).apply(spread("key"), &penalty).unwrap();
    }
    assert!(is_admitted(&acquire(&memory, &host, "other", &quota)));
}

#[test]
fn a_key_may_be_long_and_one_that_has_no_room_is_an_error() {
    let (memory, host, quota) = (Memory::new(256 * 1024), host(), log("5/s"));
    assert!(is_admitted(&acquire(&memory, &host, &"k".repeat(64 * 1024), &quota)));
    assert_eq!(acquire(&memory, &host, &"k".repeat(256 * 1024), &quota).unwrap_err().kind(), ErrorKind::Capacity);
    assert_eq!(audit(&memory).len(), 1);
}
