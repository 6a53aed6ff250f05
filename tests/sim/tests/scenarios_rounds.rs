//! What a round of sending decides and what it does not: the edges of the recovery rules, each a mutant's death.

use klamm_sim::cluster::{ApiVersions, Fault};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Scenario, Simulation, Way};

/// Is no other batch of the partition on its way between the last request with this record and its answer?
fn went_alone(s: &Scenario, partition: i32, record: u64) -> bool {
    let sent = s.observer.sent_to(TOPIC, partition);
    let Some(last) = sent.iter().rposition(|e| e.batch.numbers == [record]) else { return false };
    let answered = sent[last].answer.map(|(at, ..)| at);
    sent.get(last + 1).is_none_or(|next| answered.is_some_and(|at| next.at >= at))
}

/// Rule 2: a leader that answered that it is none may have lost what it knew when it is the leader again, over the same
/// connection: the next round's first batch goes alone (KAFKA-15591).
#[test]
fn a_leader_that_was_deposed_is_not_known_any_more() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::Error(6));
    let first = s.batch(0);
    s.run(5);
    let records = first..s.batches(0, 2).end;
    s.run_until_reported(5_000);
    assert!(went_alone(&s, 0, records.start), "{:?}", s.lines(0));
    assert_eq!(s.stats().connects, 1);
    assert!(s.all_delivered(records));
    s.finish();
}

/// Rule 1: a moved leader cut the round short. What the old one answered to the first batch before is its own business:
/// no epoch is bumped, and no data is said to be lost.
#[test]
fn a_round_that_a_moved_leader_cut_short_decides_nothing() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::Error(45));
    s.produce_fault(0, Fault::Error(6));
    let records = s.batches(0, 2);
    s.run_until_reported(5_000);
    let codes: Vec<_> = s.lines(0).into_iter().skip(1).take(2).map(|line| line.code).collect();
    assert_eq!(codes, [Some(45), Some(6)]);
    assert!(s.all_delivered(records));
    assert_eq!((s.stats().bumps, s.stats().data_losses), (0, 0));
    s.finish();
}

/// A batch that was sent by the topic's name (brokers before Produce 13) may be in the log of the topic that was created
/// again meanwhile: under a new epoch it would be there twice.
#[test]
fn what_was_sent_by_name_may_be_in_the_new_log() {
    let mut setup = Scenario::setup(1, 1);
    setup.cluster.nodes[0].versions = ApiVersions::KAFKA_3_9;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.stall(1, Way::Up, 50);
    s.produce_fault(0, Fault::CloseAfter);
    let record = s.batch(0);
    s.run(5);
    s.recreate_topic(TOPIC);
    s.run_until_reported(15_000);
    assert_eq!(s.log(0), [record]);
    assert!(s.all_delivered(record..record + 1));
    s.finish();
}

/// Two rounds of nothing but 45 decide, but not where the connection was lost between them, with nothing in flight: what
/// answers in the same slot may be another broker, or one that has restarted.
#[test]
fn rounds_on_two_connections_are_not_two_rounds_running() {
    let mut setup = Scenario::setup(1, 1);
    setup.limits.connections = 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    for code in [7, 45, 45] {
        s.produce_fault(0, Fault::Error(code));
    }
    let connects = s.stats().connects;
    let record = s.batch(0);
    let refused = |s: &mut Simulation| {
        let sent = s.observer.sent_to(TOPIC, 0);
        sent.iter().any(|e| matches!(e.answer, Some((_, 45, _))))
    };
    assert!(s.run_for(2_000, refused));
    s.run(1);
    let (slot, now) = (s.network.slot_of(1).expect("it is connected"), s.now());
    s.network.reset(slot, now);
    s.run_until_reported(5_000);
    let codes: Vec<_> = s.lines(0).into_iter().skip(1).map(|line| line.code).collect();
    assert_eq!(codes, [Some(7), Some(45), Some(45), Some(0)]);
    assert!(s.stats().connects > connects);
    assert!(s.all_delivered(record..record + 1));
    s.finish();
}

/// Two rounds of nothing but 45 decide that an unsure batch is lost, if they run: what comes between begins the count
/// anew.
#[test]
fn rounds_of_45_that_do_not_run_decide_nothing() {
    for codes in [&[7, 45, 6, 45][..], &[7, 45, 19, 45], &[7, 19, 45, 20, 45], &[7, 19, 19, 19]] {
        let mut s = Scenario::start(1, 1);
        s.warm_up(0..1);
        for code in codes {
            s.produce_fault(0, Fault::Error(*code));
        }
        let record = s.batch(0);
        s.run_until_reported(10_000);
        assert_eq!(s.lines(0).len(), 1 + codes.len() + 1, "{codes:?}");
        assert!(s.all_delivered(record..record + 1), "{codes:?}");
        assert_eq!(s.stats().bumps, 0, "{codes:?}");
        s.finish();
    }
}
