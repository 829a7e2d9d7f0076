//! The way to Redis breaks, stalls or drags: what has left is never sent again, what has not left is not lost, nobody waits
//! longer than the call may take, and nobody is denied what fits.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::ErrorKind;
use scupper::store::{Action, Operation, Reply, Verdict};
use scupper_testbed::Fault;
use support::SECOND;
use support::redis::{Bed, patient, quota, submit};
use support::remote::tests_for;

const RATES: &str = "1000/h";

tests_for! { Bed, cut:
    promise_2_a_connection_that_was_closed_while_idle_costs_no_request,
    promise_8_what_the_server_never_sees_is_unknown_to_who_sent_it_and_is_not_sent_again,
    promise_8_a_request_of_which_nothing_has_left_is_unavailable_and_the_next_one_is_served,
    promise_8_what_was_carried_out_and_not_answered_counts_once,
    promise_8_an_answer_that_breaks_off_anywhere_leaves_the_request_unknown_and_counted_once,
    promise_8_all_who_went_out_together_are_unknown_and_each_counts_once,
    promises_5_and_8_a_stall_is_an_error_in_time_and_what_it_admits_yet_is_given_back,
    promise_8_what_was_carried_out_during_a_stall_is_given_back_when_the_answer_comes,
    promise_8_a_connection_that_does_not_answer_any_more_is_given_up_for_another,
    promise_8_refused_connections_are_an_error_at_once_without_a_storm_and_recover_within_a_second,
    promise_2_a_long_line_to_the_server_makes_requests_slow_and_nothing_else,
    promise_2_who_waits_is_served_over_another_connection_when_the_first_has_broken,
}

#[test]
fn promise_8_every_operation_whose_answer_is_lost_is_carried_out_once() {
    let bed = Bed::new();
    let (store, quota) = (bed.store(), quota(RATES));
    let admission = match submit(bed.direct(), &Operation::acquire("refund", &quota, 5)).unwrap() {
        Reply::Acquired(Verdict::Admitted(admission)) => admission,
        other => panic!("{other:?}"),
    };
    submit(bed.direct(), &Operation::acquire("reset", &quota, 5)).unwrap();
    let half = scupper::store::Admission { weight: 2, ..admission };
    for (key, action, used) in [
        ("penalize", Action::Penalize { quota: &quota, units: 7 }, 7),
        ("refund", Action::Refund(half), 3),
        ("reset", Action::Reset, 0),
        ("hold", Action::Hold { quota: &quota, duration: SECOND * 60 }, 0),
    ] {
        bed.proxy.set(Fault::cut_after_send().when_sent("EVALSHA").times(1));
        let error = submit(&store, &Operation::new(key, action)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{key}: {error}");
        assert_eq!((bed.proxy.strikes(), bed.used(key, RATES)), (1, used), "{key}");
    }
    let held = patient(RATES, bed.direct()).peek("hold").unwrap();
    assert!(held.held_until.is_some());
}

#[test]
fn promise_8_a_look_whose_answer_is_lost_took_nothing() {
    let bed = Bed::new();
    let limiter = bed.limiter(RATES);
    for fault in [Fault::cut_before_send, Fault::cut_after_send, || Fault::cut_in_reply(5)] {
        bed.proxy.set(fault().when_sent("EVALSHA").times(1));
        let error = limiter.peek("key").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        bed.proxy.set(fault().when_sent("SCAN").times(1));
        let error = limiter.list("", None, 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    assert!(limiter.list("", None, 10).unwrap().keys.is_empty());
}
