//! Followers, elections, and what a produce request that waits for them is answered.

use crate::kit::{Kit, TOPIC, idempotent, only, plain};
use kafka_protocol::messages::{ApiVersionsRequest, ProduceResponse};
use klamm_sim::cluster::{ControlError, Pending};

/// Sends a batch with acks=-1, without waiting for an answer.
fn send(kit: &mut Kit, sequence: i32, timeout_ms: i32) {
    let mut request = kit.request(9, -1, [(0, idempotent(0, sequence, 1).into())]);
    request.timeout_ms = timeout_ms;
    kit.send(0, 9, &request);
}

fn result(kit: &mut Kit) -> (i16, i64) {
    let answer = only(kit.answer::<ProduceResponse>(9).1);
    (answer.error_code, answer.base_offset)
}

fn min_isr(kit: &mut Kit, n: usize) {
    kit.cluster.topic_config(TOPIC).unwrap().min_in_sync = n;
}

fn pause(kit: &mut Kit, paused: bool) {
    for node in [2, 3] {
        kit.cluster.pause_follower(TOPIC, 0, node, paused, kit.now).unwrap();
    }
}

#[test]
fn success_waits_for_all_in_sync_replicas() {
    let mut kit = Kit::three_nodes();
    pause(&mut kit, true);
    send(&mut kit, 0, 30_000);
    kit.send(18, 0, &ApiVersionsRequest::default());
    assert!(kit.read().is_none(), "neither the produce nor the request behind it");
    assert_eq!(kit.cluster.high_watermark(TOPIC, 0), Some(0));
    kit.cluster.pause_follower(TOPIC, 0, 2, false, 0).unwrap();
    assert!(kit.read().is_none(), "one of two followers");
    kit.cluster.pause_follower(TOPIC, 0, 3, false, 0).unwrap();
    assert_eq!(result(&mut kit), (0, 0));
    assert!(kit.read().is_some(), "the request behind it");
    assert_eq!(kit.cluster.high_watermark(TOPIC, 0), Some(1));
}

#[test]
fn timeout_is_7_with_the_base_offset_and_the_retry_a_duplicate() {
    for timeout_ms in [1, 0, -1] {
        let mut kit = Kit::three_nodes();
        pause(&mut kit, true);
        send(&mut kit, 0, timeout_ms);
        kit.advance(1_000);
        assert_eq!(result(&mut kit), (7, 0));
        send(&mut kit, 0, 30_000);
        assert!(kit.read().is_none(), "a duplicate waits, too");
        pause(&mut kit, false);
        assert_eq!(result(&mut kit), (0, 0));
        assert_eq!(kit.cluster.log(TOPIC, 0).count(), 1);
    }
}

#[test]
fn min_isr_not_met_is_19_also_for_a_duplicate_but_not_with_acks_1() {
    let mut kit = Kit::three_nodes();
    assert_eq!(kit.code(idempotent(0, 0, 1)), 0);
    min_isr(&mut kit, 2);
    kit.cluster.shrink_isr(TOPIC, 0, 2, 0).unwrap();
    kit.cluster.shrink_isr(TOPIC, 0, 3, 0).unwrap();
    assert_eq!(kit.result(idempotent(0, 1, 1)), (19, -1));
    assert_eq!(kit.result(idempotent(0, 0, 1)), (19, -1), "duplicate");
    let request = kit.request(9, 1, [(0, idempotent(0, 1, 1).into())]);
    assert_eq!(only(kit.ask(0, 9, &request)).error_code, 0, "acks=1");
    kit.cluster.grow_isr(TOPIC, 0, 2, 0).unwrap();
    assert_eq!(kit.result(idempotent(0, 1, 1)), (0, 1), "the duplicate of what acks=1 stored");
}

#[test]
fn isr_below_the_minimum_after_the_append_is_20_with_the_base_offset() {
    let mut kit = Kit::three_nodes();
    min_isr(&mut kit, 2);
    pause(&mut kit, true);
    send(&mut kit, 0, 30_000);
    kit.cluster.shrink_isr(TOPIC, 0, 2, 0).unwrap();
    assert!(kit.read().is_none());
    kit.cluster.shrink_isr(TOPIC, 0, 3, 0).unwrap();
    assert_eq!(result(&mut kit), (20, 0));
}

#[test]
fn deposed_while_waiting_is_6_with_the_base_offset() {
    let mut kit = Kit::three_nodes();
    assert_eq!(kit.code(idempotent(0, 0, 1)), 0);
    pause(&mut kit, true);
    send(&mut kit, 1, 30_000);
    kit.cluster.elect(TOPIC, 0, 2, 0).unwrap();
    assert_eq!(result(&mut kit), (6, 1));
    assert_eq!(kit.cluster.log(TOPIC, 0).count(), 1, "the new leader has not got it");
    assert_eq!(kit.cluster.leader_epoch(TOPIC, 0), Some(1));
}

#[test]
fn topic_deleted_while_waiting_is_3_with_the_base_offset() {
    let mut kit = Kit::three_nodes();
    pause(&mut kit, true);
    send(&mut kit, 0, 30_000);
    kit.cluster.delete_topic(TOPIC, 0).unwrap();
    assert_eq!(result(&mut kit), (3, 0));
}

#[test]
fn a_diverging_follower_drops_what_only_it_has() {
    let mut kit = Kit::three_nodes_by_hand();
    kit.send_and_process(idempotent(0, 0, 1).value("both"));
    for node in [2, 3] {
        assert_eq!(kit.cluster.replicate(TOPIC, 0, node, 9, 0), 1);
    }
    kit.send_and_process(idempotent(0, 1, 1).value("old leader only"));
    kit.cluster.elect(TOPIC, 0, 2, 0).unwrap();
    kit.connect(2);
    kit.send_and_process(idempotent(0, 1, 1).value("new leader"));
    kit.send_and_process(idempotent(0, 2, 1).value("new leader too"));
    assert_eq!(kit.cluster.replicate(TOPIC, 0, 1, 1, 0), 1, "one batch at a time");
    assert_eq!(kit.cluster.replicate(TOPIC, 0, 1, 9, 0), 1);
    let values = |node| -> Vec<_> {
        kit.cluster.log_of(TOPIC, 0, node).map(|record| record.value.unwrap()).collect()
    };
    assert_eq!(values(1), ["both", "new leader", "new leader too"]);
    assert_eq!(values(1), values(2));
    let epochs: Vec<i32> = kit.cluster.log(TOPIC, 0).map(|record| record.leader_epoch).collect();
    assert_eq!(epochs, [0, 1, 1]);
}

#[test]
fn a_truncated_follower_knows_only_the_last_batch_of_a_producer() {
    let mut kit = Kit::three_nodes();
    for i in 0..4 {
        assert_eq!(kit.code(idempotent(0, i, 1)), 0);
    }
    kit.cluster.truncate(TOPIC, 0, 2, 1, 0).unwrap();
    kit.cluster.elect(TOPIC, 0, 2, 0).unwrap();
    kit.connect(2);
    assert_eq!(kit.result(idempotent(0, 3, 1)), (0, 3), "copied again");
    assert_eq!(kit.result(idempotent(0, 2, 1)), (0, 2), "the last before the cut");
    assert_eq!(kit.code(idempotent(0, 1, 1)), 45);
}

#[test]
fn an_unclean_election_loses_what_the_new_leader_lacks() {
    let mut kit = Kit::three_nodes();
    assert_eq!(kit.code(idempotent(0, 0, 1)), 0);
    kit.cluster.shrink_isr(TOPIC, 0, 3, 0).unwrap();
    assert_eq!(kit.code(idempotent(0, 1, 1)), 0);
    assert_eq!(kit.cluster.elect(TOPIC, 0, 3, 0), Err(ControlError::NotInSync));
    kit.cluster.elect_unclean(TOPIC, 0, 3, 0).unwrap();
    assert_eq!(kit.cluster.high_watermark(TOPIC, 0), Some(1));
    assert_eq!(kit.cluster.log_of(TOPIC, 0, 1).count(), 1, "the old leader follows");
    kit.connect(3);
    assert_eq!(kit.code(idempotent(0, 2, 1)), 45);
}

#[test]
fn a_dead_leader_is_still_named_until_the_cluster_notices() {
    let mut kit = Kit::three_nodes_by_hand();
    kit.cluster.kill(1, 0).unwrap();
    assert!(kit.closed());
    assert!(kit.cluster.accept(1, 0).is_none());
    assert_eq!(kit.cluster.leader(TOPIC, 0), Some(1));
    kit.cluster.fence(1, 0).unwrap();
    assert_eq!(kit.cluster.leader(TOPIC, 0), Some(2));
    assert_eq!(kit.cluster.isr(TOPIC, 0), [2, 3]);
}

#[test]
fn requests_of_a_dead_connection_are_processed_later_in_order() {
    let mut kit = Kit::three_nodes_by_hand();
    for sequence in 0..3 {
        send(&mut kit, sequence, 30_000);
    }
    assert_eq!(kit.cluster.pending(kit.peer), 3);
    kit.cluster.disconnect(kit.peer, Pending::Process);
    assert_eq!((kit.cluster.zombies(), kit.cluster.log(TOPIC, 0).count()), (1, 0));
    assert!(kit.cluster.process_zombie(0, 0));
    assert!(kit.cluster.process_zombie(0, 0));
    assert_eq!(kit.cluster.log(TOPIC, 0).count(), 2);
    assert!(kit.cluster.process_zombie(0, 0));
    assert!(!kit.cluster.process_zombie(0, 0));
    let sequences: Vec<i32> = kit.cluster.log(TOPIC, 0).map(|record| record.sequence).collect();
    assert_eq!(sequences, [0, 1, 2]);
}

#[test]
fn by_hand_an_answer_is_held_until_released() {
    let mut kit = Kit::three_nodes_by_hand();
    let request = kit.request(9, 1, [(0, plain(1).into())]);
    kit.send(0, 9, &request);
    assert_eq!((kit.cluster.pending(kit.peer), kit.cluster.held(kit.peer)), (1, 0));
    assert!(kit.cluster.process(kit.peer, 0));
    assert!(!kit.cluster.process(kit.peer, 0));
    assert_eq!(kit.cluster.held(kit.peer), 1);
    assert!(kit.read().is_none());
    assert!(kit.cluster.release(kit.peer));
    assert_eq!(result(&mut kit), (0, 0));
}

impl Kit {
    fn send_and_process(&mut self, batch: crate::kit::Batch) {
        let request = self.request(9, 1, [(0, batch.into())]);
        self.send(0, 9, &request);
        assert!(self.cluster.process(self.peer, 0));
        assert!(self.cluster.release(self.peer));
        assert_eq!(result(self).0, 0);
    }
}
