//! The list of all checks, and the tests that are made of it.

/// Makes the tests of a store: each check of this suite twice, as `blocking::…` and as `asynchronous::…`.
///
/// Takes a [`Fixture`](crate::conformance::Fixture), or the name of a function that opens a store. See
/// [the module](crate::conformance) for a whole test file.
#[macro_export]
macro_rules! conformance_tests {
    ($fixture:expr) => {
        fn conformance_fixture() -> impl $crate::conformance::Fixture {
            $fixture
        }

        /// Each check, waiting for answers by blocking.
        mod blocking {
            $crate::conformance_checks!(Blocking);
        }

        /// Each check, waiting for answers as a future does.
        mod asynchronous {
            $crate::conformance_checks!(Asynchronous);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_checks {
    ($mode:ident) => {
        $crate::conformance_checks!($mode:
            decisions {
                promises_1_to_4_every_outcome_is_that_of_the_naive_model,
                promise_6_every_door_decides_alike_on_the_stores_clock,
                the_callers_time_need_not_be_near_the_stores,
                permits_of_the_callers_time_can_be_given_back,
                the_callers_time_may_stand_still,
            }
            waits {
                promise_4_at_its_retry_tick_a_request_is_admitted_and_a_tick_earlier_denied,
            }
            batches {
                each_operation_has_its_outcome_in_its_place,
                promise_8_an_operation_that_fails_spoils_no_other,
                promise_3_a_denied_request_leaves_no_trace,
                promise_5_requests_in_line_are_served_up_to_the_first_misfit,
                promise_5_requests_that_do_not_wait_pass_nobody_and_hold_up_nobody,
                a_run_on_one_key_is_atomic,
                what_needs_no_bucket_makes_none,
            }
            contention {
                promise_1_never_over_in_any_closed_window_across_threads,
                promise_1_never_over_in_any_fixed_window_across_threads,
                promise_1_never_over_the_bound_of_gcra_across_threads,
                promise_2_never_under_a_hundred_at_once_that_fit_are_all_admitted,
                promises_2_and_3_exactly_the_room_is_given_in_every_rate,
            }
            housekeeping {
                promise_7_idle_buckets_leave_by_themselves,
                promise_7_a_bucket_that_owes_is_kept,
                promise_7_a_held_bucket_is_kept_until_its_hold_ends,
                promise_7_a_penalty_is_kept_until_it_is_paid,
                promise_7_the_longest_retention_that_any_list_asked_for_holds,
                promise_7_buckets_that_were_reset_or_given_back_leave_too,
            }
            numbers {
                promise_9_as_heavy_as_the_limit_fits_and_a_unit_more_never,
                promise_9_maxima_are_exact,
                promise_9_gcra_does_not_drift,
                promise_9_sums_near_the_end_of_doubles_are_exact,
                thousands_in_one_tick_are_all_counted,
            }
            keys {
                every_key_is_a_bucket_of_its_own,
                every_key_works_through_a_limiter,
                keys_are_listed_by_prefix_in_pages,
            }
            rates {
                promise_1_lists_that_alternate_on_one_log_see_all_that_was_taken,
                promise_7_the_longest_retention_that_any_list_declared_holds,
                a_change_of_rates_keeps_the_history,
                a_rate_that_stays_goes_on_as_it_was,
                a_longer_rate_counts_from_the_change,
                another_algorithm_is_refused_while_the_bucket_owes,
                another_algorithm_is_welcome_once_the_bucket_owes_nothing,
                equal_quotas_are_one,
            }
            clock {
                promise_6_a_small_step_back_frees_nothing,
                promise_6_while_time_stands_still_admissions_keep_its_tick,
                promise_6_a_step_back_of_an_hour_frees_nothing_and_costs_no_hour,
                promise_6_a_hold_survives_a_step_back,
                promise_2_a_step_back_to_the_origin_brings_nothing_back,
                promise_6_a_step_forward_ages_by_its_size,
                promise_3_what_changes_nothing_does_not_turn_the_clock_back,
                promise_6_a_permit_from_before_a_step_back_gives_nothing_back,
                promise_6_a_refund_at_a_late_reading_frees_only_itself,
            }
            limiter {
                decisions_and_looks_agree,
                refund_and_reset_give_back,
                a_part_of_a_permit_can_be_given_back,
                penalties_and_holds_deny,
                promise_4_waiting_ends_at_the_first_tick_with_room,
                promise_4_a_deadline_that_just_suffices_is_met,
                promise_5_a_deadline_that_cannot_be_met_returns_at_once,
                promise_5_a_waiter_that_goes_away_leaves_no_trace,
                waiting_outlasts_a_hold,
                what_never_fits_or_cannot_be_is_said_at_once,
            }
        );
    };
    ($mode:ident: $($theme:ident { $($check:ident,)+ })+) => {
        $(
            mod $theme {
                $(
                    #[test]
                    fn $check() {
                        let fixture = super::super::conformance_fixture();
                        let mode = $crate::conformance::Mode::$mode;
                        $crate::conformance::$theme::$check(&$crate::conformance::Subject::open(&fixture, mode));
                    }
                )+
            }
        )+
    };
}
