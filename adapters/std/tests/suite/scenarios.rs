//! Bugs that other producers had with threads that wait, replayed on the adapter. The numbers are
//! those of `tests/scenarios.md`.

use core::time::Duration;
use std::sync::mpsc;
use std::thread;

use klamm_std::{Producer, Record, SendError};

use crate::common::{broker, builder, log, mute};

const LIMIT: Duration = Duration::from_secs(60);

/// KAFKA-3648: `max.block.ms` is not honoured by those who are not the first to wait, or starts
/// again with every attempt.
#[test]
fn s44_kafka_3648_everyone_who_waits_has_a_deadline() {
    const BLOCK: Duration = Duration::from_millis(200);
    let (_listener, address) = mute();
    let producer = Producer::builder(&address.to_string())
        .limits(|limits| limits.buffer_memory = 64 * 1024)
        .configure(|config| {
            config.batch_size = 16_384;
            config.max_request_size = 16_384;
        })
        .max_block(BLOCK)
        .build()
        .expect("legal");
    let topic = producer.topic("t").expect("legal");
    let value = [b'x'; 1_000];
    // The partition is taken at its word before the first metadata.
    while topic.send_to_partition(0, &Record::value(&value)).is_ok() {}
    let (sender, errors) = mpsc::channel();
    for _ in 0..6 {
        let (topic, sender) = (topic.clone(), sender.clone());
        thread::spawn(move || {
            let sent = topic.send_to_partition(0, &Record::value(&[b'y'; 1_000]));
            sender.send(sent.map(|_| ())).expect("the test listens");
        });
    }
    for _ in 0..6 {
        // Each flush has the first of the queue look again, to no avail.
        let sent = (0..3_000).find_map(|_| {
            producer.flush(Some(Duration::ZERO));
            errors.recv_timeout(Duration::from_millis(20)).ok()
        });
        let sent = sent.expect("nobody waits for ever");
        let Err(SendError::TimedOut { waited, last }) = sent else { panic!("{sent:?}") };
        assert_eq!(last, klamm::SendError::Full);
        assert!(waited >= BLOCK);
    }
    producer.close(Duration::ZERO);
}

/// franz-go 1.18.1: waiters are woken one at a time, and each record makes a batch of its own.
#[test]
fn s50_franz_go_batches_are_full_when_memory_is_short() {
    const RECORDS: u64 = 2_000;
    const THREADS: u64 = 8;
    let broker = broker(1);
    let producer = builder(&broker)
        .limits(|limits| {
            limits.batch_size = 4_096;
            limits.buffer_memory = 20_000;
        })
        .configure(|config| {
            config.batch_size = 4_096;
            config.linger_ms = 1_000;
            config.max_request_size = 8_192;
        })
        .build()
        .expect("legal");
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..RECORDS {
                    producer.post("t", &Record::value(&[b'v'; 90])).expect("accepted");
                }
            });
        }
    });
    assert!(producer.close(LIMIT).undelivered.is_empty());
    let log = log(&broker, 0);
    assert_eq!(log.len() as u64, THREADS * RECORDS);
    let batches = log.last().map_or(0, |record| record.batch + 1) as u64;
    // About 40 records fit.
    let mean = THREADS * RECORDS / batches;
    assert!(mean >= 20, "{mean} records a batch");
}

/// KAFKA-4235, 3655: who sends or flushes while the producer is closed never hears of it.
#[test]
fn s55_kafka_4235_a_close_answers_everyone() {
    for round in 0..40_u64 {
        let broker = broker(2);
        let producer = builder(&broker)
            .configure(|config| config.linger_ms = 1)
            .limits(|limits| limits.buffer_memory = 256 * 1024)
            .build()
            .expect("legal");
        let (sender, outcomes) = mpsc::channel();
        for number in 0..4 {
            let (producer, sender) = (producer.clone(), sender.clone());
            thread::spawn(move || {
                let mut deliveries = Vec::new();
                let error = loop {
                    let record = Record::value(&[b'v'; 500]);
                    match producer.send_to_partition("t", number % 2, &record) {
                        Ok(delivery) => deliveries.push(delivery),
                        Err(error) => break error,
                    }
                    if number == 3 && deliveries.len() % 50 == 0 {
                        producer.flush(None);
                    }
                };
                let delivered = deliveries.iter().filter(|d| d.wait().is_ok()).count();
                sender.send((error, deliveries.len(), delivered)).expect("the test listens");
            });
        }
        while producer.stats().accepted < 1 + round * 20 {
            thread::yield_now();
        }
        // With time, every other round, and without.
        let limit = if round % 2 == 0 { LIMIT } else { Duration::ZERO };
        let closed = producer.close(limit);
        let (mut accepted, mut delivered) = (0, 0);
        for _ in 0..4 {
            let answer = outcomes.recv_timeout(LIMIT).expect("nobody waits for ever");
            assert_eq!(answer.0, SendError::Refused(klamm::SendError::Closed), "round {round}");
            accepted += answer.1;
            delivered += answer.2;
        }
        assert_eq!(producer.stats().accepted, accepted as u64, "round {round}");
        assert_eq!(accepted, delivered + closed.undelivered.len(), "round {round}");
        assert!(round % 2 == 1 || closed.undelivered.is_empty(), "round {round}");
        let logged = log(&broker, 0).len() + log(&broker, 1).len();
        assert!((delivered..=accepted).contains(&logged), "round {round}");
    }
}
