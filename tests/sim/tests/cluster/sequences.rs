//! Sequences and epochs of idempotent producers, row by row of what live brokers answered.

use crate::kit::{Kit, PID, START_MS, TOPIC, idempotent};
use klamm_sim::cluster::{Config, TopicConfig, UnknownProducer};

const OUT_OF_ORDER: i16 = 45;
const OLD_EPOCH: i16 = 47;

fn append(kit: &mut Kit, batches: i32) {
    for i in 0..batches {
        assert_eq!(kit.result(idempotent(0, i, 1)), (0, i64::from(i)));
    }
}

#[test]
fn gap_overlap_and_other_count_are_45() {
    let mut kit = Kit::one_node();
    assert_eq!(kit.code(idempotent(0, 0, 3)), 0);
    assert_eq!(kit.code(idempotent(0, 4, 1)), OUT_OF_ORDER, "gap");
    assert_eq!(kit.code(idempotent(0, 2, 2)), OUT_OF_ORDER, "overlap");
    assert_eq!(kit.code(idempotent(0, 0, 2)), OUT_OF_ORDER, "same first, other count");
    assert_eq!(kit.result(idempotent(0, 3, 1)), (0, 3));
}

#[test]
fn duplicate_of_the_last_five_is_success_with_the_original_offset() {
    let mut kit = Kit::one_node();
    append(&mut kit, 6);
    for i in (1..6).rev() {
        let answer = kit.produce(idempotent(0, i, 1).value("other content"));
        assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(i)));
        assert_eq!(answer.log_append_time_ms, START_MS, "max_timestamp of the stored batch");
    }
    assert_eq!(kit.code(idempotent(0, 0, 1)), OUT_OF_ORDER, "6th last");
    assert_eq!(kit.cluster.log(TOPIC, 0).count(), 6);
    assert_eq!(kit.cluster.stats().duplicates, 5);
}

#[test]
fn a_restart_keeps_only_the_last_batch() {
    let mut kit = Kit::one_node();
    append(&mut kit, 5);
    kit.cluster.restart(1, 0).unwrap();
    assert!(kit.closed());
    kit.connect(1);
    assert_eq!(kit.result(idempotent(0, 4, 1)), (0, 4));
    assert_eq!(kit.code(idempotent(0, 3, 1)), OUT_OF_ORDER, "2nd last");
    assert_eq!(kit.code(idempotent(0, 0, 1)), OUT_OF_ORDER, "5th last");
    assert_eq!(kit.result(idempotent(0, 5, 1)), (0, 5));
}

#[test]
fn a_follower_that_kept_running_knows_all_five() {
    let mut kit = Kit::three_nodes();
    append(&mut kit, 6);
    kit.cluster.kill(1, 0).unwrap();
    assert_eq!(kit.cluster.leader(TOPIC, 0), Some(2));
    kit.connect(2);
    for i in 1..6 {
        assert_eq!(kit.result(idempotent(0, i, 1)), (0, i64::from(i)));
    }
    assert_eq!(kit.code(idempotent(0, 0, 1)), OUT_OF_ORDER, "6th last");
}

#[test]
fn a_restarted_follower_turned_leader_knows_only_the_last() {
    let mut kit = Kit::three_nodes();
    append(&mut kit, 5);
    kit.cluster.restart(2, 0).unwrap();
    kit.cluster.elect(TOPIC, 0, 2, 0).unwrap();
    kit.connect(2);
    assert_eq!(kit.result(idempotent(0, 4, 1)), (0, 4));
    assert_eq!(kit.code(idempotent(0, 3, 1)), OUT_OF_ORDER);
}

#[test]
fn unknown_producer_any_first_sequence_is_accepted() {
    let mut kit = Kit::one_node();
    assert_eq!(kit.result(idempotent(0, 5, 1)), (0, 0));
    assert_eq!(kit.result(idempotent(0, 6, 1)), (0, 1));
    assert_eq!(kit.code(idempotent(0, 0, 1)), OUT_OF_ORDER);
}

fn kit_with(unknown_producer: UnknownProducer) -> Kit {
    let config = Config { unknown_producer, ..Config::new(1) };
    Kit::new(config, TopicConfig::new(3, 1))
}

#[test]
fn unknown_producer_on_kafka_2_1_is_59_unless_0() {
    let mut kit = kit_with(UnknownProducer::UnknownProducerId);
    assert_eq!(kit.code(idempotent(0, 5, 1)), 59);
    assert_eq!(kit.code(idempotent(0, 6, 1)), 59);
    assert_eq!(kit.code(idempotent(0, 0, 1)), 0);
}

#[test]
fn unknown_producer_on_redpanda_is_45_unless_0() {
    let mut kit = kit_with(UnknownProducer::OutOfOrder);
    assert_eq!(kit.code(idempotent(0, 5, 1)), OUT_OF_ORDER);
    assert_eq!(kit.code(idempotent(0, 0, 1)), 0);
}

#[test]
fn a_newer_epoch_needs_sequence_0() {
    for step in [1, 5, 32_767] {
        let mut kit = Kit::one_node();
        append(&mut kit, 2);
        assert_eq!(kit.code(idempotent(step, 1, 1)), OUT_OF_ORDER);
        assert_eq!(kit.code(idempotent(step, 2, 1)), OUT_OF_ORDER, "the old epoch's next");
        assert_eq!(kit.result(idempotent(step, 0, 1)), (0, 2));
        assert_eq!(kit.code(idempotent(0, 2, 1)), OLD_EPOCH, "the old epoch's next");
        assert_eq!(kit.code(idempotent(0, 1, 1)), OLD_EPOCH, "an exact duplicate");
        assert_eq!(kit.result(idempotent(step, 1, 1)), (0, 3));
    }
}

#[test]
fn the_epoch_is_per_partition() {
    let mut kit = Kit::one_node();
    assert_eq!(kit.code(idempotent(1, 0, 1)), 0);
    let request = kit.request(9, -1, [(1, idempotent(0, 0, 1).into())]);
    let answer = crate::kit::only(kit.ask(0, 9, &request));
    assert_eq!(answer.error_code, 0, "other partition, old epoch");
}

#[test]
fn the_same_range_under_a_newer_epoch_is_stored_again() {
    let mut kit = Kit::one_node();
    assert_eq!(kit.result(idempotent(0, 0, 2)), (0, 0));
    assert_eq!(kit.result(idempotent(1, 0, 2)), (0, 2));
    assert_eq!(kit.cluster.log(TOPIC, 0).count(), 4);
}

#[test]
fn sequences_wrap_to_0_also_inside_a_batch() {
    let mut kit = Kit::one_node();
    assert_eq!(kit.result(idempotent(0, i32::MAX - 2, 1)), (0, 0));
    assert_eq!(kit.result(idempotent(0, i32::MAX - 1, 3)), (0, 1), "straddles");
    assert_eq!(kit.result(idempotent(0, i32::MAX - 1, 3)), (0, 1), "its duplicate");
    assert_eq!(kit.result(idempotent(0, 1, 1)), (0, 4));
    let sequences: Vec<i32> = kit.cluster.log(TOPIC, 0).map(|record| record.sequence).collect();
    assert_eq!(sequences, [i32::MAX - 2, i32::MAX - 1, i32::MAX, 0, 1]);

    let mut kit = Kit::one_node();
    assert_eq!(kit.result(idempotent(0, i32::MAX, 1)), (0, 0));
    assert_eq!(kit.result(idempotent(0, 0, 1)), (0, 1));
}

#[test]
fn a_refused_batch_leaves_its_sequence_free() {
    let mut kit = Kit::one_node();
    append(&mut kit, 1);
    let mut corrupt = idempotent(0, 1, 1);
    corrupt.crc_error = 1;
    assert_eq!(kit.code(corrupt), 2);
    let mut miscounted = idempotent(0, 1, 1);
    miscounted.last_offset_delta = Some(7);
    assert_eq!(kit.code(miscounted), 87);
    assert_eq!(kit.code(idempotent(0, 1, 1).value(&"x".repeat(1_100_000))), 10);
    assert_eq!(kit.result(idempotent(0, 1, 1)), (0, 1));
}

#[test]
fn delete_records_keeps_the_state() {
    let mut kit = Kit::one_node();
    append(&mut kit, 3);
    kit.cluster.delete_records(TOPIC, 0, 3).unwrap();
    assert_eq!(kit.cluster.log(TOPIC, 0).count(), 0);
    assert_eq!(kit.result(idempotent(0, 2, 1)), (0, 2), "duplicate");
    assert_eq!(kit.code(idempotent(0, 4, 1)), OUT_OF_ORDER, "gap");
    assert_eq!(kit.result(idempotent(0, 3, 1)), (0, 3), "next");
}

#[test]
fn expired_state_duplicate_gap_and_any_epoch_are_new() {
    for batch in [idempotent(5, 2, 1), idempotent(5, 9, 1), idempotent(3, 4, 1)] {
        let mut kit = Kit::one_node();
        for i in 0..3 {
            assert_eq!(kit.code(idempotent(5, i, 1)), 0);
        }
        kit.cluster.forget_producers(TOPIC, 0, 1, Some(PID)).unwrap();
        assert_eq!(kit.result(batch), (0, 3));
    }
}

#[test]
fn topic_recreated_old_id_is_100_and_a_new_id_takes_any_sequence() {
    let mut kit = Kit::one_node();
    append(&mut kit, 3);
    let old = kit.request(13, -1, [(0, idempotent(0, 3, 1).into())]);
    kit.cluster.delete_topic(TOPIC, 0).unwrap();
    kit.cluster.create_topic(TOPIC, TopicConfig::new(1, 1)).unwrap();
    assert_eq!(kit.cluster.leader_epoch(TOPIC, 0), Some(0));
    assert_eq!(crate::kit::only(kit.ask(0, 13, &old)).error_code, 100);
    let answer = kit.produce_as(13, idempotent(0, 3, 1));
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
}
