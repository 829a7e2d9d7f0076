//! The way to Postgres breaks, stalls or drags: what has left is never sent again, what has not left is not lost, nobody waits
//! longer than the call may take, and nobody is denied what fits.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use scupper::ErrorKind;
use scupper::store::{Action, Admission, Operation, Reply, Verdict};
use scupper_testbed::{Fault, await_that};
use support::postgres::{Bed, patient, quota, submit, without_hurry};
use support::remote::tests_for;
use support::{HOUR, SECOND};

const RATES: &str = "1000/h";

/// All keys begin so, and nothing else that is sent has it.
const ASKED: &str = "user:";
const KEY: &str = "user:42";
/// What a look at these rates sends, and nothing else does.
const HOUR_SENT: [u8; 8] = 3_600_000_000_i64.to_be_bytes();

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

/// A store that has seen a bucket as a whole before, so that all is prepared; and what an acquire of five units came to.
fn warm(bed: &Bed) -> (scupper::PostgresStore, Admission) {
    let (store, quota) = (bed.store(), quota(RATES));
    submit(&store, &Operation::new("user:warm", Action::Penalize { quota: &quota, units: 1 })).unwrap();
    match submit(&store, &Operation::acquire(KEY, &quota, 5)).unwrap() {
        Reply::Acquired(Verdict::Admitted(admission)) => (store, admission),
        other => panic!("{other:?}"),
    }
}

#[test]
fn promise_8_what_breaks_off_before_it_is_written_down_is_undone() {
    let (bed, quota) = (Bed::new(), quota(RATES));
    let (mut store, admission) = warm(&bed);
    let actions = [
        Action::Penalize { quota: &quota, units: 7 },
        Action::Refund(Admission { weight: 2, ..admission }),
        Action::Reset,
        Action::Hold { quota: &quota, duration: HOUR },
    ];
    for action in actions {
        for fault in [Fault::cut_before_send, Fault::cut_after_send, || Fault::cut_in_reply(9)] {
            bed.proxy.set(fault().when_sent("BEGIN ").times(1));
            let error = submit(&store, &Operation::new(KEY, action)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{action:?}: {error}");
            assert_eq!((bed.proxy.strikes(), bed.used(KEY, RATES)), (1, 5), "{action:?}");
            bed.proxy.heal();
            store = bed.store();
            submit(&store, &Operation::new("user:warm", Action::Penalize { quota: &quota, units: 1 })).unwrap();
        }
    }
    let held = patient(RATES, bed.direct()).peek(KEY).unwrap();
    assert!(held.held_until.is_none());
}

#[test]
fn promise_8_what_breaks_off_while_it_is_written_down_is_unknown_and_carried_out_once_or_never() {
    let (bed, quota) = (Bed::new(), quota(RATES));
    let direct = patient(RATES, bed.direct());
    for turn in 0..4 {
        for (fault, happens) in
            [(Fault::cut_before_send(), false), (Fault::cut_after_send(), true), (Fault::cut_in_reply(9), true)]
        {
            direct.reset(KEY).unwrap();
            let (store, admission) = warm(&bed);
            let (action, used) = [
                (Action::Penalize { quota: &quota, units: 7 }, 12),
                (Action::Refund(Admission { weight: 2, ..admission }), 3),
                (Action::Reset, 0),
                (Action::Hold { quota: &quota, duration: HOUR }, 5),
            ][turn];
            bed.proxy.set(fault.when_sent("COMMIT\0").times(1));
            let error = submit(&store, &Operation::new(KEY, action)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unknown, "{action:?}: {error}");
            let expected = if happens { used } else { 5 };
            assert_eq!((bed.proxy.strikes(), bed.used(KEY, RATES)), (1, expected), "{action:?}");
            let is_held = direct.peek(KEY).unwrap().held_until.is_some();
            assert_eq!(is_held, happens && turn == 3, "{action:?}");
        }
    }
}

#[test]
fn promise_8_a_look_whose_answer_is_lost_took_nothing() {
    let bed = Bed::new();
    let (store, _) = warm(&bed);
    let limiter = patient(RATES, &store);
    limiter.list("", None, 10).unwrap();
    for fault in [Fault::cut_before_send, Fault::cut_after_send, || Fault::cut_in_reply(5)] {
        for _ in 0..2 {
            bed.proxy.set(fault().when_sent(HOUR_SENT).times(1));
            let error = limiter.peek(KEY).unwrap_err();
            assert_eq!((error.kind(), bed.proxy.strikes()), (ErrorKind::Unavailable, 1), "{error}");
            // The prefix is sent, too.
            bed.proxy.set(fault().when_sent(ASKED).times(1));
            let error = limiter.list(ASKED, None, 10).unwrap_err();
            assert_eq!((error.kind(), bed.proxy.strikes()), (ErrorKind::Unavailable, 1), "{error}");
        }
    }
    assert_eq!(limiter.list(ASKED, None, 10).unwrap().keys.len(), 2);
}

/// As when its machine loses the network: the server does not learn that nobody is there any more.
#[test]
fn promise_8_a_client_that_falls_silent_in_a_transaction_keeps_its_bucket_no_longer_than_a_call_takes() {
    let (bed, quota) = (Bed::new(), quota(RATES));
    let store = without_hurry(bed.builder()).answer_within(2 * SECOND).open().unwrap();
    let penalty = Operation::new(KEY, Action::Penalize { quota: &quota, units: 7 });
    await_that("the first is carried out", || submit(&store, &penalty).is_ok());
    let before = bed.used(KEY, RATES);
    bed.proxy.set(Fault::stall().when_sent("COMMIT\0"));
    assert_eq!(submit(&store, &penalty).unwrap_err().kind(), ErrorKind::Unknown);
    // Others are asked for it, and wait as long as it has it.
    assert_eq!(bed.used(KEY, RATES), before);
    bed.proxy.heal();
    assert_eq!(bed.used(KEY, RATES), before);
}
