//! The producer that its one thread polls.

use core::time::Duration;
use std::collections::BTreeMap;

use klamm_std::{
    Compression, Config, Destination, Limits, LocalProducer, Outcome, Record, Refusal,
};

use crate::common::{broker, broker_at, log, mute};

const LIMIT: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(50);

/// More than fits into the memory: whoever is refused polls, and goes on.
#[test]
fn every_record_arrives_in_order_and_is_reported_once() {
    const RECORDS: u32 = 20_000;
    for codec in [Compression::None, Compression::Lz4 { level: 1 }, Compression::Gzip { level: 6 }]
    {
        let broker = broker(3);
        let address = broker.address().to_string();
        let mut config = Config::new(&address);
        (config.batch_size, config.compression_type) = (1_000, codec);
        let mut limits = Limits::default();
        limits.buffer_memory = 64 * 1024;
        let mut producer = LocalProducer::new(&config, &limits).expect("legal");
        let topic = producer.topic("t").expect("legal");
        let (mut reported, mut refused) = (0, 0);
        let mut take = |producer: &mut LocalProducer| {
            while let Some(report) = producer.poll_report() {
                assert!(matches!(report.outcome, Outcome::Delivered { .. }), "{report:?}");
                reported += u32::from(report.records);
            }
        };
        for number in 0..RECORDS {
            let (key, value) = (number % 7, number.to_string());
            let record = Record::value(value.as_bytes());
            let key = key.to_string();
            let record = record.with_key(key.as_bytes());
            while let Err(refusal) = producer.send(Destination::topic(topic), &record) {
                assert!(matches!(refusal, Refusal::Full | Refusal::TopicPending), "{refusal}");
                refused += 1;
                producer.poll(LIMIT).expect("the poller works");
                take(&mut producer);
            }
        }
        assert!(producer.flush(LIMIT).expect("the poller works"));
        take(&mut producer);
        assert_eq!(reported, RECORDS);
        assert!(refused > 1, "the memory was full");
        let mut last = BTreeMap::new();
        let mut arrived = 0;
        for record in (0..3).flat_map(|partition| log(&broker, partition)) {
            let number: u32 =
                String::from_utf8_lossy(&record.value.expect("a value")).parse().expect("a number");
            let before = last.insert(record.key.expect("a key"), number);
            assert!(before.is_none_or(|before| before < number), "{before:?}, then {number}");
            arrived += 1;
        }
        assert_eq!(arrived, RECORDS);
    }
}

#[test]
fn a_broker_that_says_nothing_ends_no_flush_and_one_that_comes_back_does() {
    let (listener, address) = mute();
    let servers = address.to_string();
    let mut config = Config::new(&servers);
    config.socket_connection_setup_timeout_ms = 200;
    config.reconnect_backoff_max_ms = 100;
    let mut producer = LocalProducer::new(&config, &Limits::default()).expect("legal");
    let topic = producer.topic("t").expect("legal");
    producer.send(Destination::partition(topic, 0), &Record::value(b"v")).expect("accepted");
    assert!(!producer.flush(MOMENT).expect("the poller works"));
    assert_eq!(producer.poll_report(), None);
    assert_eq!(producer.core().stats().buffered, 1);
    drop(listener);
    let broker = broker_at(address, 1);
    assert!(producer.flush(LIMIT).expect("the poller works"));
    let report = producer.poll_report().expect("a report");
    assert_eq!(report.offset(0), Some(0));
    assert!(producer.last_connection_error().is_some());
    assert_eq!(log(&broker, 0).len(), 1);
}
