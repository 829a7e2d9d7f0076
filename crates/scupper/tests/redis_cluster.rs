//! Slots of a cluster move and its nodes fail under the store: what moves costs nothing but time, what fails is an error of its
//! own keys alone, and nothing is counted twice.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use scupper::store::{Batch, Operation, Reply, Store, Verdict};
use scupper::{ErrorKind, Limiter, RedisStore};
use scupper_testbed::{Ends, Fault, RedisCluster, await_that};
use support::SECOND;
use support::redis::{
    AT_ONCE, PREFIX, admits, by_default, connect, list_all, open, patient, quota, recovers, refused, through_outages,
    used, without_hurry,
};

const RATES: &str = "1000000/h";

fn store(cluster: &RedisCluster) -> RedisStore {
    open(&cluster.url())
}

fn limiter(cluster: &RedisCluster) -> Limiter {
    patient(RATES, &store(cluster))
}

fn slot(cluster: &RedisCluster, key: &str) -> u16 {
    cluster.slot_of(&[PREFIX, key].concat())
}

/// A key on each of the masters.
fn key_on_each(cluster: &RedisCluster) -> [String; 3] {
    [0, 1, 2].map(|node| {
        let mut keys = (0..).map(|number| format!("key-{number}"));
        keys.find(|key| cluster.owner(slot(cluster, key)) == node).unwrap()
    })
}

/// Asks for these keys from as many threads until the work is done; no request may fail. Says how often each was admitted.
fn under_load(limiter: &Limiter, keys: &[&str], work: impl FnOnce(&dyn Fn())) -> Vec<u64> {
    let (is_over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|threads| {
        let end = Ends(&is_over);
        let ask = |key: &str| {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                admits(limiter, key);
                count += 1;
                asked.fetch_add(1, Ordering::Relaxed);
            }
            count
        };
        let asking: Vec<_> = keys.iter().map(|key| threads.spawn(move || ask(key))).collect();
        let goes_on = || {
            let before = asked.load(Ordering::Relaxed);
            await_that("requests go on", || asked.load(Ordering::Relaxed) > before + 20);
        };
        work(&goes_on);
        drop(end);
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

#[test]
fn promises_2_and_8_a_slot_moves_under_load_and_every_request_counts_once() {
    let cluster = RedisCluster::start();
    let limiter = limiter(&cluster);
    let keys = ["{tag}a", "{tag}b", "{tag}c", "elsewhere"];
    let slot = slot(&cluster, "{tag}");
    let counts = under_load(&limiter, &keys, |goes_on| {
        for _ in 0..6 {
            let to = (cluster.owner(slot) + 1) % 3;
            goes_on();
            cluster.begin_move(slot, to);
            goes_on();
            cluster.move_keys(slot, to);
            goes_on();
            cluster.finish_move(slot, to);
        }
        goes_on();
    });
    for (key, count) in keys.into_iter().zip(counts) {
        assert_eq!(limiter.peek(key).unwrap().usage[0].used, count, "{key}");
    }
}

#[test]
fn promise_3_a_batch_is_answered_whatever_slots_its_keys_lie_in_and_wherever_those_are() {
    let cluster = RedisCluster::start();
    let (store, quota) = (store(&cluster), quota(RATES));
    let slot = slot(&cluster, "{tag}");
    let (from, to) = (cluster.owner(slot), (cluster.owner(slot) + 1) % 3);
    let mut keys: Vec<String> = (0..60).map(|number| format!("key-{number}")).collect();
    keys.extend((0..12).map(|number| format!("{{tag}}{number}")));
    let mut count = 0;
    let mut ask = |fresh: &str| {
        count += 1;
        let fresh: Vec<String> = (0..3).map(|number| format!("{{tag}}{fresh}-{number}")).collect();
        let operations: Vec<_> = keys.iter().chain(&fresh).map(|key| Operation::acquire(key, &quota, 1)).collect();
        let outcomes = store.submit(Batch::new(&operations)).wait();
        for (place, outcome) in outcomes.into_iter().enumerate() {
            let before = if place < keys.len() { count } else { 1 };
            let Ok(Reply::Acquired(Verdict::Admitted(admission))) = outcome else { panic!("{place}: {outcome:?}") };
            assert_eq!(admission.sequence, before, "{place}");
        }
    };
    ask("before");
    cluster.begin_move(slot, to);
    // Those that are there are answered there; those that are nowhere yet are made where the slot goes.
    ask("begun");
    ask("begun-again");
    // Some of the keys are here, and some there.
    let key = |number: usize| format!("{PREFIX}{{tag}}{number}");
    let port = cluster.node(to).port().to_string();
    for number in 0..6 {
        let words = ["MIGRATE", "127.0.0.1", &port, &key(number), "0", "5000"];
        assert_eq!(cluster.node(from).command(&words).text(), "OK");
    }
    ask("midway");
    ask("midway-again");
    cluster.move_keys(slot, to);
    ask("moved");
    cluster.finish_move(slot, to);
    ask("finished");
    ask("finished-again");
}

#[test]
fn promise_8_a_master_fails_over_under_load_and_no_request_is_denied() {
    let cluster = RedisCluster::builder().replicas().start();
    let limiter = limiter(&cluster);
    let keys = key_on_each(&cluster);
    for key in &keys {
        admits(&limiter, key);
    }
    through_outages(&limiter, &keys.each_ref().map(String::as_str), || {
        for master in 0..2 {
            cluster.fail_over(master);
            for key in &keys {
                let (took, _) = recovers(&limiter, key);
                assert!(took < AT_ONCE, "{took:?}");
            }
        }
    });
    // The old master comes back as a replica, which sends others on to the new one.
    cluster.node(0).restart();
    cluster.await_replica(0);
    for key in &keys {
        admits(&limiter, key);
    }
}

#[test]
fn promise_3_keys_of_a_node_that_is_gone_are_errors_and_the_others_are_served() {
    let cluster = RedisCluster::builder().line("cluster-require-full-coverage no").start();
    let (store, quota) = (store(&cluster), quota(RATES));
    let keys = key_on_each(&cluster);
    let operations: Vec<_> = keys.iter().map(|key| Operation::acquire(key, &quota, 1)).collect();
    assert!(store.submit(Batch::new(&operations)).wait().iter().all(Result::is_ok));
    cluster.node(1).kill();
    for _ in 0..30 {
        let outcomes = store.submit(Batch::new(&operations)).wait();
        assert_eq!(outcomes[1].as_ref().unwrap_err().kind(), ErrorKind::Unavailable, "{outcomes:?}");
        assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    }
    let limiter = patient(RATES, &store);
    let error = list_all(&limiter, 10).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "it would not be all: {error}");
    cluster.node(1).restart();
    recovers(&limiter, &keys[1]);
    assert_eq!(limiter.peek(&keys[0]).unwrap().usage[0].used, 31);
}

#[test]
fn promise_8_a_node_that_stands_still_holds_up_its_own_keys_alone() {
    let cluster = RedisCluster::builder().proxies().start();
    let store = store(&cluster);
    let (limiter, hasty) = (patient(RATES, &store), by_default(RATES, &store));
    let keys = key_on_each(&cluster);
    for key in &keys {
        admits(&limiter, key);
    }
    cluster.proxy(2).set(Fault::stall().when_sent("EVALSHA"));
    thread::scope(|threads| {
        let stalled = threads.spawn(|| refused(hasty.try_acquire(&keys[2])).kind());
        cluster.proxy(2).await_strike();
        for _ in 0..20 {
            admits(&limiter, &keys[0]);
            admits(&limiter, &keys[1]);
        }
        assert_eq!(stalled.join().unwrap(), ErrorKind::Unknown);
    });
    cluster.proxy(2).heal();
    let direct = self::store(&cluster);
    await_that("what was taken late is given back", || used(&direct, &keys[2], RATES) == 1);
    admits(&limiter, &keys[2]);
}

#[test]
fn promise_8_a_lost_answer_of_a_node_is_unknown_and_counts_once() {
    let cluster = RedisCluster::builder().proxies().start();
    let limiter = limiter(&cluster);
    let keys = key_on_each(&cluster);
    for key in &keys {
        admits(&limiter, key);
    }
    for (node, key) in keys.iter().enumerate() {
        for cut in 0..5 {
            cluster.proxy(node).set(Fault::cut_after_send().when_sent("EVALSHA").times(1));
            assert_eq!(refused(limiter.try_acquire(key)).kind(), ErrorKind::Unknown);
            assert_eq!(limiter.peek(key).unwrap().usage[0].used, cut + 2);
        }
        cluster.proxy(node).close_connections();
        admits(&limiter, key);
    }
}

#[test]
fn promise_8_a_slot_that_nobody_has_is_unavailable_until_somebody_has_it() {
    let cluster = RedisCluster::builder().line("cluster-require-full-coverage no").start();
    let limiter = limiter(&cluster);
    let slot = slot(&cluster, "key");
    let owner = cluster.owner(slot);
    admits(&limiter, "key");
    for node in cluster.nodes() {
        let _ = node.command(&["CLUSTER", "DELSLOTS", &slot.to_string()]).granted();
    }
    // One that knows the slots already, and one that does not.
    let newcomer = self::limiter(&cluster);
    for limiter in [&limiter, &newcomer] {
        for _ in 0..3 {
            let error = refused(limiter.try_acquire("key"));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            admits(limiter, "elsewhere");
        }
    }
    let _ = cluster.node(owner).command(&["CLUSTER", "ADDSLOTS", &slot.to_string()]).granted();
    for limiter in [&limiter, &newcomer] {
        let (took, _) = recovers(limiter, "key");
        assert!(took < AT_ONCE, "{took:?}");
    }
}

#[test]
fn a_cluster_is_found_by_any_node_that_answers_and_a_single_server_is_told_from_one() {
    let cluster = RedisCluster::start();
    let nobody = scupper_testbed::free_port();
    let last = cluster.node(2).port();
    let url = format!("redis+cluster://127.0.0.1:{nobody},127.0.0.1:{last}");
    let limiter = patient(RATES, &connect(&url).unwrap());
    for key in &key_on_each(&cluster) {
        admits(&limiter, key);
    }
    // Its own slots are served, and of others it is said what is wrong.
    let single = open(&cluster.node(0).url());
    let single = patient(RATES, &single);
    let error = refused(single.try_acquire(&key_on_each(&cluster)[1]));
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.message().contains("redis+cluster://"), "{error}");
    let alone = scupper_testbed::RedisServer::start();
    let url = format!("redis+cluster://127.0.0.1:{}", alone.port());
    let error = connect(&url).unwrap_err();
    assert!(error.message().contains("cluster"), "{error}");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
}

/// Nodes share the time in which they tell who has what, so that a silent one does not take all of it.
#[test]
fn promise_2_a_node_that_says_nothing_is_passed_over_by_who_comes_new() {
    let cluster = RedisCluster::start();
    let keys = key_on_each(&cluster);
    for silent in 0..3 {
        cluster.node(silent).stall();
        let store = without_hurry(RedisStore::builder(&cluster.url())).connect_within(4 * SECOND).open().unwrap();
        let limiter = patient(RATES, &store);
        for key in keys.iter().enumerate().filter(|(node, _)| *node != silent).map(|(_, key)| key) {
            admits(&limiter, key);
        }
        cluster.node(silent).go_on();
        cluster.await_ok();
    }
}
