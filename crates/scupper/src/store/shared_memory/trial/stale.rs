//! A decision at once reads the clock before it has the lock, and others may come in between.

use proptest::prelude::*;

use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation, Standing};
use crate::store::host_clock::Host;
use crate::store::outcome::{Reply, Verdict};
use crate::store::shared_memory::trial::audit::audit;
use crate::store::shared_memory::trial::memory::{Memory, hash, host};

/// What others do between a reading of the clock and the decision.
#[derive(Clone, Copy, Debug)]
enum Between {
    Acquire(u64),
    Refund,
    Reset,
    Hold,
    /// Another key comes, and idle ones are given up.
    Other,
}

fn betweens() -> impl Strategy<Value = Vec<(u64, Between)>> {
    let between = prop_oneof![
        6 => (1_u64..3).prop_map(Between::Acquire),
        2 => Just(Between::Refund),
        1 => Just(Between::Hold),
        2 => Just(Between::Other),
    ];
    prop::collection::vec((0_u64..9, prop_oneof![9 => between, 1 => Just(Between::Reset)]), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promise_1_never_over_at_a_time_that_was_read_before_the_lock(rounds in prop::collection::vec(betweens(), 1..40)) {
        let (memory, host) = (Memory::new(64 * 1024), host());
        let quota = Quota::new(Algorithm::SlidingWindowLog, "3/7us, 5/20us").unwrap();
        // Since the last reset, and without what was given back.
        let mut admitted: Vec<u64> = Vec::new();
        let mut last = None;
        for (nth, betweens) in rounds.iter().enumerate() {
            let read = host.since_boot();
            for (pause, between) in betweens {
                host.pass(*pause);
                let action = match between {
                    Between::Acquire(weight) => Action::Acquire { quota: &quota, weight: *weight, standing: Standing::Alone },
                    Between::Refund => last.take().map_or(Action::Peek { quota: &quota }, Action::Refund),
                    Between::Reset => Action::Reset,
                    Between::Hold => Action::Hold { quota: &quota, duration: std::time::Duration::from_micros(3) },
                    Between::Other => Action::Penalize { quota: &quota, units: 1 },
                };
                let key = if matches!(between, Between::Other) { format!("other {nth}") } else { "key".to_owned() };
                match (memory.keeper(&host).apply(hash(&key), &Operation::new(&key, action)), action) {
                    (Ok(Reply::Acquired(Verdict::Admitted(admission))), _) => {
                        admitted.extend((0..admission.weight).map(|_| admission.tick.as_micros()));
                        last = Some(admission);
                    }
                    (Ok(Reply::Reset(_)), _) => (admitted, last) = (Vec::new(), None),
                    (Ok(Reply::Refunded(units)), Action::Refund(admission)) => {
                        for _ in 0..units {
                            let place = admitted.iter().position(|tick| *tick == admission.tick.as_micros()).unwrap();
                            admitted.remove(place);
                        }
                    }
                    (outcome, _) => assert!(outcome.is_ok(), "{outcome:?}"),
                }
            }
            let verdict = memory.keeper(&host).acquire(read, (hash("key"), "key"), &quota, 1).unwrap();
            if let Some(Verdict::Admitted(admission)) = verdict {
                admitted.push(admission.tick.as_micros());
            }
            prop_assert!(admitted.is_sorted());
            for rate in quota.rates() {
                for (first, since) in admitted.iter().enumerate() {
                    let within = admitted[first..].iter().take_while(|tick| **tick <= since + rate.interval_micros());
                    prop_assert!(within.count() as u64 <= rate.limit(), "{:?} under {}", admitted, rate);
                }
            }
        }
        audit(&memory);
    }
}
