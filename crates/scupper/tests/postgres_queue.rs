//! So many requests wait to be sent to Postgres, and no more.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::ErrorKind;
use scupper_testbed::Fault;
use support::postgres::{Bed, PATIENCE, admits, patient};
use support::remote::{fill, refuses_under_every_policy};

#[test]
fn promises_2_and_8_a_full_queue_is_an_error_of_its_own_and_no_outage() {
    let bed = Bed::new();
    let store = bed.wide_builder().answer_within(10 * PATIENCE).wait_to_be_sent(10 * PATIENCE).open().unwrap();
    let limiter = patient("1000000/h", &store);
    admits(&limiter, "user:42");
    bed.proxy.set(Fault::stall());
    let (waiting, error) = fill(&store);
    assert!(waiting.len() >= 65_536, "{}", waiting.len());
    assert_eq!(error.kind(), ErrorKind::Capacity, "{error}");
    assert!(error.message().contains("wait for their turn"), "{error}");
    refuses_under_every_policy(&store);
    bed.proxy.heal();
    // All of them have their answers, and there is room again.
    for submission in waiting {
        submission.wait().remove(0).unwrap();
    }
    admits(&limiter, "user:42");
}
