//! One suite of tests for every adapter, against the dev broker on a loopback port.
//!
//! An adapter implements [`Adapter`], in a way that blocks, and says `suite!(ItsType)` in a test
//! target of this crate. What holds for adapters over `klamm-host` only is in `host_suite!`.

pub mod adapter;
pub mod brokers;
pub mod host;
pub mod tests;

pub use adapter::{Adapter, Fate, Refused, Returned, Setup};
pub use host::HostAdapter;

/// A `#[test]` for each of the suite's tests, with this adapter.
#[macro_export]
macro_rules! suite {
    ($adapter:ty) => {
        $crate::instances!($adapter, deliver: [
            a_delivery_tells_where_its_record_is,
            null_and_empty_are_different,
            dropping_a_delivery_cancels_nothing,
            threads_share_a_producer_and_each_keeps_its_order,
            dropping_the_last_clone_still_delivers,
            closed_is_closed_for_every_clone,
            codecs_and_the_other_acks,
            a_topics_partitions,
            a_host_name_works_whichever_of_its_addresses_answers,
            an_oversize_record_is_refused_with_both_sizes,
            a_request_is_larger_than_what_the_socket_takes_at_once,
            a_second_flush_works_and_linger_applies_after_it,
            a_broker_that_restarts_gets_every_record_once_and_in_order,
        ]);
        $crate::instances!($adapter, wait: [
            max_block_bounds_the_wait_for_metadata,
            try_send_never_waits,
            rk_17_an_illegal_topic_is_refused_at_once,
            full_memory_refuses_after_max_block_and_try_send_at_once,
            a_sender_that_waits_goes_on_when_the_broker_comes,
            waiting_senders_are_served_in_order_and_share_batches,
            small_records_do_not_overtake_a_large_one_that_waits,
            a_record_refused_in_its_turn_holds_up_nobody,
            close_wakes_those_who_wait,
            close_hands_back_what_was_not_delivered_as_it_was,
            a_peer_that_is_no_broker_is_passed_over,
        ]);
    };
}

/// A `#[test]` for each of the tests of what adapters over `klamm-host` have in common.
#[macro_export]
macro_rules! host_suite {
    ($adapter:ty) => {
        $crate::instances!($adapter, hooks: [
            a_callback_gets_each_records_outcome_once,
            callbacks_hear_of_records_that_are_given_up,
            reports_count_every_record_and_flush_waits_for_them,
            callbacks_that_panic_end_nothing_but_themselves,
            interceptors_change_records_and_hear_of_outcomes,
            an_interceptor_that_panics_loses_no_record,
            a_key_maker_makes_the_keys_that_are_missing,
            properties_configure_a_producer,
            ck_28_keys_of_json_that_mean_the_same_share_a_partition,
        ]);
        $crate::instances!($adapter, instruments: [
            rk_18_events_tell_of_every_record,
            rk_15_an_overflow_is_told_with_its_topic_and_limit,
            ck_26_statistics_come_on_the_interval,
            prometheus_text_is_well_formed,
            i17_no_bytes_of_records_are_written_down,
        ]);
        $crate::instances!($adapter, failures: [
            a_driver_that_died_is_replaced_by_the_next_call_and_its_records_are_reported,
            a_driver_that_died_is_not_replaced_when_the_producer_is_closed,
            a_sender_that_panics_under_the_lock_leaves_nobody_waiting,
        ]);
    };
}

/// For `suite!`.
#[doc(hidden)]
#[macro_export]
macro_rules! instances {
    ($adapter:ty, $group:ident: [$($name:ident),* $(,)?]) => {
        mod $group {
            $(
                #[test]
                fn $name() {
                    $crate::tests::$group::$name::<$adapter>();
                }
            )*
        }
    };
}
