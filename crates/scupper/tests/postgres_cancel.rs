//! Whoever goes away while Postgres is being asked for them, at whatever point, leaves no trace, or has what was granted given back.
#![cfg(feature = "postgres")]

mod support;

use support::postgres::Bed;
use support::remote::tests_for;

tests_for! { Bed, cancel:
    promise_5_what_a_batch_that_is_dropped_at_any_poll_has_sent_is_carried_out_once_and_the_rest_never,
    promise_5_a_request_that_is_dropped_at_any_poll_is_given_back,
    promise_5_what_was_not_sent_yet_leaves_no_trace,
    promise_5_what_gives_back_or_holds_up_is_sent_though_nobody_stays_for_the_answer,
    promise_5_a_store_gives_back_and_holds_up_though_nobody_stays_for_its_answer,
    promise_5_who_goes_out_of_the_line_before_its_turn_is_never_asked_for,
    promise_5_what_is_granted_to_one_who_has_gone_is_given_back_when_the_answer_comes,
    promise_5_many_who_go_at_any_time_leave_what_the_others_have,
    promise_5_a_dropped_list_ends,
}
