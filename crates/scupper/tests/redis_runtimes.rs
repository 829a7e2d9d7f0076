//! A store in Redis serves whoever asks, from whatever thread, runtime or none, and outlives all of them.
#![cfg(feature = "redis")]

mod support;

use support::redis::Bed;
use support::remote::tests_for;

tests_for! { Bed, runtimes:
    blocking_is_safe_outside_of_a_runtime_and_on_every_thread_of_one,
    a_store_can_be_connected_to_from_within_a_runtime,
    a_task_that_has_spent_its_budget_is_served_and_keeps_nobody_from_it,
    promise_5_a_runtime_that_is_shut_down_in_a_call_takes_only_its_own_requests_with_it,
    promise_5_runtimes_that_come_and_go_share_a_store,
    a_store_that_is_dropped_with_calls_in_flight_answers_them,
    a_limiter_that_is_dropped_with_a_late_call_still_has_it_given_back,
    stores_that_come_and_go_leave_no_threads_and_no_connections,
}
