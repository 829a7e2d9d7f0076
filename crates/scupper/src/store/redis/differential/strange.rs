//! What is under a key and is no bucket, and what cannot be written there.

use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation};
use crate::store::outcome::Admission;
use crate::store::redis::differential::comparison::{Comparison, KEY, Way};
use crate::store::redis::differential::server::bytes;

/// A bucket with a log of forty events, and a permit for one of the oldest.
fn log_of_forty(comparison: &mut Comparison, quota: &Quota) -> (Vec<u8>, Admission) {
    let ticks = 1_000_000..1_000_040;
    let given: Vec<_> = ticks.filter_map(|tick| comparison.acquire(tick, quota, 1, Way::Plain)).collect();
    // What the language says of strange bytes is the error here.
    comparison.server.is_strict = false;
    (bytes(comparison.server.command("GET", KEY, &[])), given[4])
}

/// Where its rates are, behind the name of the algorithm.
fn rates_of(bucket: &[u8]) -> usize {
    bucket.windows(4).position(|bytes| bytes == b"100/").unwrap()
}

/// What is no bucket is an error of its own operations alone, and is left as it is.
#[test]
fn what_is_no_bucket_is_not_touched() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "100/s").unwrap();
    let (bucket, permit) = log_of_forty(&mut comparison, &quota);
    let with = |place: usize, byte| {
        let mut other = bucket.clone();
        other[place] = byte;
        other
    };
    let rates = rates_of(&bucket);
    let refund = Operation::new("b", Action::Refund(permit));
    let asked = [refund, Operation::acquire("c", &quota, 1), Operation::acquire("b", &quota, 1)];
    for (command, value, wrong) in [
        ("SET", b"anything".to_vec(), "holds a string that is no bucket"),
        ("SET", with(7, b'2'), "is of format \"2\""),
        ("SET", bucket[..100].to_vec(), "cannot be read (it is cut off)"),
        ("SET", bucket[..130].to_vec(), "cannot be read ("),
        // How many events there are in the area, and how many in the ring.
        ("SET", with(81, 17), "its numbers cannot be"),
        ("SET", with(65, 255), "its numbers cannot be"),
        ("SET", with(rates + 3, b'x'), "its rates cannot be read"),
        ("RPUSH", b"anything".to_vec(), "holds a list that is no bucket"),
        ("PFADD", b"anything".to_vec(), "holds a string that is no bucket"),
    ] {
        comparison.server.command("DEL", "b", &[]);
        comparison.server.command(command, "b", &[&value]);
        let before = comparison.server.command("DUMP", "b", &[]);
        for asked in [&asked[..], &asked[2..]] {
            for (operation, outcome) in asked.iter().zip(comparison.server.carry_out(asked, 1_000_100)) {
                match outcome {
                    Ok(outcome) => assert_eq!(operation.key, "c", "{outcome:?} and not {wrong}"),
                    Err(error) => assert!(error.to_string().contains(wrong), "{error} and not {wrong}"),
                }
            }
            assert_eq!(comparison.server.command("DUMP", "b", &[]), before);
        }
    }
}

#[test]
fn a_log_that_is_cut_off_is_an_error_where_it_is_looked_at() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "100/s").unwrap();
    let (bucket, permit) = log_of_forty(&mut comparison, &quota);
    let rates = rates_of(&bucket);
    let [refund, acquire] = [Operation::new("b", Action::Refund(permit)), Operation::acquire("b", &quota, 61)];
    for (left, asked, wrong) in [
        (40, refund, "cannot be read (its log is cut off)"),
        (120, refund, "cannot be read (its log is cut off)"),
        (140, refund, "cannot be read (its log is cut off)"),
        (20, acquire, "cannot be read ("),
    ] {
        comparison.server.command("SET", "b", &[&bucket[..rates + left]]);
        let outcomes = comparison.server.carry_out(&[asked], 1_000_100);
        let error = outcomes[0].as_ref().unwrap_err().to_string();
        assert!(error.contains(wrong), "{error} and not {wrong}");
    }
}

/// Memory is full: what would have to be written is an error, by either way and at any step of it, and nothing was taken.
#[test]
fn what_cannot_be_written_is_an_error() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "100/s").unwrap();
    let acquire = Operation::acquire("full", &quota, 1);
    let peek = Operation::new("full", Action::Peek { quota: &quota });
    for events in 1..60 {
        let tick = 1_000_000 + events;
        let permit = comparison.acquire(tick, &quota, 1, Way::Plain).unwrap();
        let bucket = bytes(comparison.server.command("GET", KEY, &[]));
        comparison.server.command("SET", "full", &[&bucket]);
        let refund = Operation::new("full", Action::Refund(permit));
        for asked in [&[acquire][..], &[acquire, peek], &[refund], &[Operation::acquire("all full", &quota, 1)]] {
            // Later on, the key would have to expire later, too.
            for clock in [tick + 1, 2_500_000] {
                for (operation, outcome) in asked.iter().zip(comparison.server.carry_out(asked, clock)) {
                    let is_late = clock > tick + 1 && matches!(operation.action, Action::Refund(_));
                    match outcome {
                        Ok(outcome) => assert!(is_late, "{outcome:?} after {events} events"),
                        Err(error) => {
                            let error = error.to_string();
                            assert!(
                                error.contains("could not write the bucket, and nothing was taken: OOM"),
                                "{error}"
                            );
                        }
                    }
                }
            }
        }
        assert!(comparison.server.carry_out(&[peek], tick + 1)[0].is_ok());
        assert_eq!(bytes(comparison.server.command("GET", "full", &[])), bucket);
    }
}
