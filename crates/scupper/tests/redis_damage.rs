//! Whatever bytes lie under the key of a bucket: its operations are errors that say so or those of another valid bucket, all
//! others of the call are answered, what is refused is left as it is, and the server goes on.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::Duration;

use scupper::store::{Action, Admission, Batch, Operation, Reply, Standing, Store, Verdict};
use scupper::{Algorithm, ErrorKind, Quota, RedisStore, Timestamp};
use scupper_testbed::{Client, RedisServer, Reply as Answer};
use support::redis::{PREFIX, open, submit};

/// So many damaged buckets are asked for in one call, each between two that are sound.
const TOGETHER: usize = 100;

const NUMBERS: [u64; 11] = [
    0,
    1,
    7,
    1000,
    (1 << 31) - 1,
    1 << 31,
    (1 << 53) - 1,
    1 << 53,
    (1 << 60) + 0x0010_0000,
    (1 << 63) + 0x8000_0000,
    u64::MAX,
];

struct Bed {
    /// Lives as long as this.
    _server: RedisServer,
    store: RedisStore,
    client: Client,
}

/// A bucket with something in it.
struct Sample {
    quota: Quota,
    /// Of the same algorithm.
    other: Quota,
    admissions: Vec<Admission>,
    value: Vec<u8>,
}

impl Bed {
    fn new() -> Self {
        // A script that goes on for ever is told from one that is slow by then.
        let server = RedisServer::builder().line("busy-reply-threshold 20000").start();
        let store = open(&server.url());
        let client = server.client().unwrap();
        Self { _server: server, store, client }
    }

    fn get(&mut self, key: &str) -> Vec<u8> {
        match self.client.command(&["GET", &[PREFIX, key].concat()]).unwrap() {
            Answer::Bulk(value) => value,
            other => panic!("{key}: {other:?}"),
        }
    }

    /// A bucket with so many events at ticks of their own, the last of which are recent.
    fn sample(&mut self, algorithm: Algorithm, rates: [&str; 2], events: u64) -> Sample {
        let [quota, other] = rates.map(|rates| Quota::new(algorithm, rates).unwrap());
        let mut admissions = Vec::new();
        for _ in 0..events {
            match submit(&self.store, &Operation::acquire("sample", &quota, 1)).unwrap() {
                Reply::Acquired(Verdict::Admitted(admission)) => admissions.push(admission),
                Reply::Acquired(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let value = self.get("sample");
        let _ = self.client.command(&["DEL", "scupper:sample"]).unwrap().granted();
        Sample { quota, other, admissions, value }
    }

    /// All samples: logs that are short, long, and longer than what is read at once, rings that go round, and lanes.
    fn samples(&mut self) -> Vec<Sample> {
        let many = ["500/s, 1000/h", "1000/2s, 1100/h"];
        let few = ["5/ms, 6/2ms", "3/ms"];
        vec![
            self.sample(Algorithm::SlidingWindowLog, many, 3),
            self.sample(Algorithm::SlidingWindowLog, many, 100),
            self.sample(Algorithm::SlidingWindowLog, few, 40),
            self.sample(Algorithm::Gcra, many, 3),
            self.sample(Algorithm::FixedWindow, many, 3),
        ]
    }

    /// Has all that can be done with a bucket done with each of these.
    fn endures(&mut self, sample: &Sample, values: &[Vec<u8>]) {
        let newest = *sample.admissions.last().unwrap();
        let tick = Timestamp::from_micros(newest.tick.as_micros() - 1);
        let (quota, other) = (&sample.quota, &sample.other);
        let acquire = |quota, weight| Action::Acquire { quota, weight, standing: Standing::Alone };
        for action in [
            acquire(quota, 1),
            acquire(other, 2),
            Action::Peek { quota },
            Action::Peek { quota: other },
            Action::Refund(newest),
            Action::Refund(sample.admissions[0]),
            Action::Refund(Admission { tick, ..newest }),
            Action::Penalize { quota, units: 3 },
            Action::Hold { quota, duration: Duration::from_secs(1) },
            Action::Reset,
        ] {
            values.chunks(TOGETHER).for_each(|values| self.endures_together(action, values));
        }
    }

    fn endures_together(&mut self, action: Action<'_>, values: &[Vec<u8>]) {
        let keys: Vec<String> = (0..values.len()).map(|number| format!("damaged-{number}")).collect();
        for (key, value) in keys.iter().zip(values) {
            let key = [PREFIX, key].concat();
            self.client.send(&[b"SET", key.as_bytes(), value, b"PX", b"60000"]).unwrap();
        }
        for _ in &keys {
            let _ = self.client.receive().unwrap().granted();
        }
        let free = Quota::new(Algorithm::SlidingWindowLog, "1000000/ms").unwrap();
        let sound: Vec<String> = (0..values.len()).map(|number| format!("sound-{number}")).collect();
        let pairs = keys.iter().zip(&sound);
        let pairs = pairs.map(|(key, sound)| [Operation::new(key, action), Operation::acquire(sound, &free, 1)]);
        let operations: Vec<_> = pairs.flatten().collect();
        let outcomes = self.store.submit(Batch::new(&operations)).wait();
        for (place, value) in values.iter().enumerate() {
            let told = format!("{action:?} on {:?}", value.escape_ascii().to_string());
            let (outcome, sound) = (&outcomes[2 * place], &outcomes[2 * place + 1]);
            assert!(matches!(sound, Ok(Reply::Acquired(Verdict::Admitted(_)))), "{told}: {sound:?}");
            let key = [PREFIX, &keys[place]].concat();
            match outcome {
                Ok(_) => {
                    let time_to_live = self.client.command(&["PTTL", &key]).unwrap().integer();
                    // It has one, be it less than a millisecond by now, or it is gone.
                    assert!(time_to_live >= 0 || time_to_live == -2, "{told}: {time_to_live} ms");
                }
                Err(error) => {
                    let is_named = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::AlgorithmMismatch);
                    assert!(is_named, "{told}: {error}");
                    assert!(self.get(&keys[place]) == *value, "{told}: it was changed");
                }
            }
        }
    }
}

#[test]
fn a_bucket_that_is_cut_off_anywhere_is_an_error_and_left_as_it_is() {
    let mut bed = Bed::new();
    for sample in bed.samples() {
        let cut: Vec<_> = (0..sample.value.len()).map(|length| sample.value[..length].to_vec()).collect();
        bed.endures(&sample, &cut.iter().step_by(5).cloned().collect::<Vec<_>>());
        for (length, value) in cut.iter().enumerate() {
            let _ = bed.client.command(&[b"SET", b"scupper:cut".as_slice(), value]).unwrap().granted();
            // An acquire that needs nothing of what is gone may be decided all the same: what is counted is in the header.
            let look = Operation::new("cut", Action::Peek { quota: &sample.quota });
            let error = submit(&bed.store, &look).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes: {error}");
        }
    }
}

#[test]
fn a_bucket_with_flipped_bits_is_an_error_or_another_bucket() {
    let mut bed = Bed::new();
    for sample in bed.samples() {
        let bits = 0..sample.value.len() * 8;
        // One or two of each byte; of the log, which is long, fewer.
        let chosen = bits.filter(|bit| bit % if *bit < 1800 { 5 } else { 37 } == 0);
        let flipped: Vec<_> = chosen
            .map(|bit| {
                let mut value = sample.value.clone();
                value[bit / 8] ^= 1 << (bit % 8);
                value
            })
            .collect();
        bed.endures(&sample, &flipped);
    }
}

#[test]
fn a_bucket_with_numbers_that_cannot_be_is_an_error_or_another_bucket() {
    let mut bed = Bed::new();
    for sample in bed.samples() {
        // Wherever a number of one, two, four or eight bytes may be.
        let places = (8..sample.value.len().min(300)).flat_map(|at| [1, 2, 4, 8].map(|width| (at, width)));
        let values: Vec<_> = places
            .filter(|(at, width)| at + width <= sample.value.len() && (at + width) % 2 == 0)
            .enumerate()
            .map(|(turn, (at, width))| {
                let mut value = sample.value.clone();
                value[at..at + width].copy_from_slice(&NUMBERS[turn % NUMBERS.len()].to_be_bytes()[8 - width..]);
                value
            })
            .collect();
        bed.endures(&sample, &values);
    }
}

#[test]
fn a_bucket_that_is_all_wrong_is_an_error_or_another_bucket() {
    let mut bed = Bed::new();
    // A row of numbers without pattern, the same each time.
    let mut last = 0x9e37_79b9_7f4a_7c15_u64;
    let mut any = |below: usize| {
        last = last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(last >> 33).unwrap() % below
    };
    for sample in bed.samples() {
        let values: Vec<_> = (0..300)
            .map(|_| {
                let mut value = sample.value.clone();
                for _ in 0..=any(4) {
                    let (at, length) = (8 + any(value.len() - 8), any(9));
                    let end = (at + length).min(value.len());
                    let small = any(3);
                    value[at..end].iter_mut().for_each(|byte| *byte = u8::try_from(any([256, 2, 60][small])).unwrap());
                }
                value
            })
            .collect();
        bed.endures(&sample, &values);
    }
}
