//! What is held, and what is not.

use klamm::{BatchId, Compression, Explain, Instant, Outcome, PartitionId, Reason, Scope};
use klamm_sim::cluster::TopicConfig;
use klamm_sim::simulator::scenario::TOPIC;

use super::device::{Device, PARTITIONS, setup};
use super::flash::Gate;

/// A device that is connected and has one held batch.
pub(super) fn held() -> (Device, PartitionId) {
    let mut device = Device::new(1, Gate::AfterTheSnapshot, setup(Compression::None), u64::MAX);
    let topic = device.producer.topic(TOPIC).expect("there is room for it");
    send_until_numbered(&mut device);
    (device, PartitionId { topic, index: 0 })
}

fn send_until_numbered(device: &mut Device) {
    while device.producer.numbered().count() == 0 {
        device.send().expect("there is power");
        let now = Instant::from_micros(device.now);
        device.producer.handle_timeout(now);
        for conn in device.producer.connections() {
            device.serve(conn, now).expect("there is power");
        }
        device.now += 10_000;
    }
}

#[test]
fn a_held_batch_is_not_sent_before_its_release() {
    let (mut device, partition) = held();
    let numbered: Vec<_> = device.producer.numbered().collect();
    assert!(numbered.iter().all(|batch| batch.held), "{numbered:?}");
    assert_eq!(device.producer.explain(partition), Explain::Held);
    for _ in 0..100 {
        device.now += 10_000;
        let now = Instant::from_micros(device.now);
        device.producer.handle_timeout(now);
        for conn in device.producer.connections() {
            device.serve(conn, now).expect("there is power");
        }
    }
    assert_eq!(device.producer.stats().batches, 0);
    device.run().expect("there is power");
    device.check().expect("all is delivered");
}

#[test]
fn a_purged_batch_that_was_held_was_certainly_not_sent() {
    let (mut device, _) = held();
    device.producer.purge(Scope::ALL, Instant::from_micros(device.now));
    while let Some(report) = device.producer.poll_report() {
        assert_eq!(report.outcome, Outcome::NotPersisted(Reason::Purged));
    }
    assert_eq!(device.producer.stats().buffered, 0);
}

/// A snapshot that was taken before does not say so, and must not release it.
#[test]
fn what_is_numbered_anew_while_a_snapshot_is_written_says_so() {
    let (mut device, _) = held();
    let before: Vec<_> = device.producer.numbered().filter(|batch| batch.held).collect();
    device.cluster.delete_topic(TOPIC, device.now).expect("it is there");
    device.cluster.create_topic(TOPIC, TopicConfig::new(PARTITIONS, 2)).expect("a new log");
    for _ in 0..400 {
        device.now += 1_000_000;
        let now = Instant::from_micros(device.now);
        device.producer.handle_timeout(now);
        for conn in device.producer.connections() {
            device.serve(conn, now).expect("there is power");
        }
        device.cluster.handle_timeout(device.now);
    }
    let after: Vec<_> = device.producer.numbered().filter(|batch| batch.held).collect();
    let [old, new] = [before[0], after[0]];
    assert_eq!((old.batch, old.records, old.held), (new.batch, new.records, new.held));
    assert_ne!(old.identity, new.identity, "the new log wants a new epoch");
    device.run().expect("there is power");
    device.check().expect("all is delivered");
}

/// Who is slow to write a snapshot may release a batch that is gone. Its slot is another one's, which is in no snapshot.
#[test]
fn a_batch_that_is_gone_releases_no_other() {
    let (mut device, _) = held();
    let gone: Vec<BatchId> = device.producer.numbered().map(|batch| batch.batch).collect();
    device.producer.purge(Scope::ALL, Instant::from_micros(device.now));
    while device.producer.poll_report().is_some() {}
    send_until_numbered(&mut device);
    let numbered: Vec<BatchId> = device.producer.numbered().map(|batch| batch.batch).collect();
    let again = |old: &&BatchId| numbered.iter().any(|new| new.index() == old.index());
    assert!(gone.iter().any(|old| again(&old)), "{gone:?}, then {numbered:?}");
    for old in gone {
        assert!(!device.producer.release_batch(old), "{old:?}");
    }
    assert!(device.producer.numbered().all(|batch| batch.held));
}
