//! Answers that no broker should give, and some do: out of range, unasked for, or about something else.

use klamm::{Acks, Idempotence, Reason};
use klamm_sim::cluster::{Api, ApiVersions, Fault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Scenario, Way};

use super::scenarios_found::connections;

/// An answer's frame, to be sent by [`Fault::Garbage`].
fn frame(correlation: i32, body: &[u8]) -> Fault {
    let size = i32::try_from(4 + body.len()).expect("small");
    Fault::Garbage([&size.to_be_bytes(), &correlation.to_be_bytes(), body].concat())
}

/// Event Hubs answers also acks = 0. What had made room for later requests was answered too, and
/// taken for nonsense.
#[test]
fn answers_to_acks_0_are_harmless() {
    const REQUESTS: i32 = 12;
    let mut setup = Scenario::setup(1, 1);
    setup.config.acks = Acks::None;
    setup.config.enable_idempotence = Idempotence::Off;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let last = s.observer.exchanges.last().expect("something was sent").correlation;
    for correlation in last + 1..=last + REQUESTS {
        s.cluster.inject(Rule::once(Api::Produce, frame(correlation, &[0; 40])));
    }
    s.stall(1, Way::Down, 100);
    for _ in 0..REQUESTS {
        s.batch(0);
        s.run(1);
    }
    let sent = s.observer.exchanges.last().expect("something was sent").correlation;
    assert_eq!(sent, last + REQUESTS, "all of them before the first answer");
    s.run(1_000);
    s.batch(0);
    s.run_until_reported(1_000);
    assert_eq!(connections(&s), 1);
    s.finish();
}

/// The offsets of a batch's records, and the one that follows, were beyond an `i64`.
#[test]
fn the_last_offset_there_is_does_no_harm() {
    let mut setup = Scenario::setup(1, 1);
    setup.cluster.nodes[0].versions = ApiVersions::KAFKA_2_1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let last = s.observer.exchanges.last().expect("something was sent");
    assert_eq!(last.version, 7);
    // One topic, "t"; one partition, 0, without an error; this offset; no append time; all of the
    // log; no throttling.
    let mut body = [&[0, 0, 0, 1, 0, 1][..], TOPIC.as_bytes()].concat();
    body.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    body.extend([i64::MAX, -1, 0].iter().flat_map(|number| number.to_be_bytes()));
    body.extend([0; 4]);
    let answer = frame(last.correlation + 1, &body);
    s.cluster.inject(Rule::once(Api::Produce, answer));
    let records = s.batch_of(0, 2);
    s.run_until_reported(5_000);
    for record in records {
        assert_eq!(s.fate(record), Some(Fate::Delivered(Some(i64::MAX))));
    }
    // Not `finish`: the log says that the offset is a lie.
    let next = s.batch(0);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(next..next + 1));
}

/// A broker's answer said that it throttles for 24 days, and the connection was silent for so long.
#[test]
fn no_broker_silences_a_connection_for_more_than_a_minute() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.metadata_max_age_ms = 1_000;
    setup.config.delivery_timeout_ms = 300_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.cluster.inject(Rule::once(Api::Metadata, Fault::Throttle(i32::MAX)));
    s.run(1_100);
    let record = s.batch(0);
    assert!(!s.run_for(55_000, |s| s.ledger.unreported() == 0), "the throttle is obeyed");
    // The broker does not read; the request timeout ends that.
    s.run_until_reported(10_000);
    assert!(s.all_delivered(record..record + 1));
    s.finish();
}

/// An answer that names a partition of the next request: that one's batch is not in the log, as its own answer says.
#[test]
fn an_answer_says_nothing_of_another_requests_batches() {
    let mut s = Scenario::start(1, 2);
    s.warm_up(0..2);
    let node = s.leader(0);
    s.stall(node, Way::Down, 500);
    s.produce_fault(0, Fault::AnothersPartition(1));
    s.produce_fault(1, Fault::Error(19));
    let first = s.batch(0);
    s.run(50);
    s.batch(1);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(first..first + 2));
    assert_eq!(s.stats().retries, 1, "the second was not in the log, and was sent again");
    s.finish();
}

/// The same where the other request has gone to another broker, under the same number, for every connection counts its
/// own.
#[test]
fn an_answer_says_nothing_of_another_connections_batches() {
    let mut s = Scenario::start(2, 2);
    s.warm_up(0..2);
    let nodes = [s.leader(0), s.leader(1)];
    assert_ne!(nodes[0], nodes[1]);
    let last = |s: &Scenario, node| {
        s.observer.exchanges.iter().rfind(|e| e.node == node).map(|e| e.correlation)
    };
    while let (Some(first), Some(second)) = (last(&s, nodes[0]), last(&s, nodes[1]))
        && first != second
    {
        s.batch(i32::from(second < first));
        s.run_until_reported(1_000);
    }
    s.stall(nodes[1], Way::Down, 500);
    s.produce_fault(0, Fault::AnothersPartition(1));
    s.produce_fault(1, Fault::Error(19));
    let second = s.batch(1);
    s.run(50);
    let first = s.batch(0);
    assert!(s.run_for(50, |s| s.ledger.entry(first).is_some_and(|e| e.fate.is_some())));
    assert_eq!(last(&s, nodes[0]), last(&s, nodes[1]), "requests of the same number");
    s.run_until_reported(5_000);
    assert_eq!(s.log(1).last(), Some(&second), "its own answer said that it is not there");
    assert!(s.all_delivered(second..first + 1));
    s.finish();
}

/// An answer leaves the partition out: nobody knows what became of the batch, whatever an answer before said of it.
#[test]
fn what_an_answer_leaves_out_may_be_in_the_log() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.delivery_timeout_ms = 3_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::Error(19));
    s.produce_fault(0, Fault::OmitPartition);
    s.produce_faults(0, Fault::Error(19), u32::MAX);
    let record = s.batch(0);
    s.run_until_reported(6_000);
    assert_eq!(s.log(0), [0, record]);
    assert!(matches!(s.fate(record), Some(Fate::Unknown(Reason::TimedOut { .. }))));
    s.finish();
}
