//! So many requests wait to be sent to Redis, and no more.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::ErrorKind;
use scupper_testbed::Fault;
use support::redis::{Bed, admits, limiting};
use support::remote::{fill, refuses_under_every_policy};

/// Far longer than anything takes on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

#[test]
fn promises_2_and_8_a_full_queue_is_an_error_of_its_own_and_no_outage() {
    let bed = Bed::new();
    let store = bed
        .builder()
        .connect_within(PATIENCE)
        .answer_within(10 * PATIENCE)
        .wait_to_be_sent(10 * PATIENCE)
        .open()
        .unwrap();
    let limiter = limiting("1000000/h", &store).call_timeout(PATIENCE).build().unwrap();
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
