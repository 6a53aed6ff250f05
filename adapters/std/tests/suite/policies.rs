//! Queues, profiles, batches of one's own: the rows of the acceptance table that need an adapter.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::common::{broker, broker_at, builder, log, nobody, producer};
use klamm_std::{
    AppendError, DeliveryError, KeepRecords, Outcome, Overflow, Producer, Profile, Reason, Record,
    Scope, SendError,
};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn pk_01_servers_and_a_topic_are_enough() {
    let broker = broker(1);
    let producer = producer(&broker);
    let topic = producer.topic("t").expect("legal");
    topic.send(&Record::value(b"21.5")).expect("accepted").wait().expect("delivered");
    assert_eq!(log(&broker, 0).len(), 1);
}

#[test]
fn pk_10_a_full_queue_blocks_until_there_is_room() {
    for per_broker in [false, true] {
        let broker = broker(1);
        let producer = builder(&broker)
            .configure(|config| {
                let policies = &mut config.policies;
                match per_broker {
                    true => policies.broker_queue_records_max = 2,
                    false => policies.queue_records_max = 2,
                }
            })
            .build()
            .expect("legal");
        // The leader is known from here on.
        producer.send("t", &Record::value(b"0")).expect("accepted").wait().expect("delivered");
        producer.pause(true);
        for value in [b"1", b"2"] {
            producer.post("t", &Record::value(value)).expect("accepted");
        }
        let refused = producer.try_send("t", &Record::value(b"3"));
        let full =
            matches!(refused, Err(SendError::Refused(klamm::SendError::QueueFull { max: 2, .. })));
        assert!(full, "{refused:?}");
        thread::scope(|scope| {
            let waits = |value| {
                let producer = producer.clone();
                move || producer.send("t", &Record::value(value)).map(|delivery| delivery.wait())
            };
            let threads = [scope.spawn(waits(b"3")), scope.spawn(waits(b"4"))];
            producer.pause(false);
            for thread in threads {
                thread.join().expect("no panic").expect("accepted").expect("delivered");
            }
        });
        assert_eq!(log(&broker, 0).len(), 5);
    }
}

#[test]
fn rk_02_rk_14_ruby_kafkas_profile_delivers_by_hand_and_refuses_at_once() {
    let broker = broker(1);
    let producer = builder(&broker).profile(&Profile::ruby_kafka()).build().expect("legal");
    let topic = producer.topic("t").expect("legal");
    for _ in 0..1_000 {
        topic.send_to_partition(0, &Record::value(b"21.5")).expect("accepted");
    }
    let refused = topic.send_to_partition(0, &Record::value(b"21.5"));
    let Err(SendError::TimedOut {
        last: klamm::SendError::QueueFull { topic: of, max, .. }, ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!((of, max), (topic.id(), 1_000));
    assert_eq!(log(&broker, 0).len(), 0);
    assert!(producer.flush(Some(LIMIT)));
    assert_eq!(log(&broker, 0).len(), 1_000);
}

/// There is no broker when the delivery is asked for, and nobody asks again when there is one.
#[test]
fn rk_01_a_delivery_returns_at_once_and_goes_on_behind() {
    let address = nobody();
    let producer = Producer::builder(&address.to_string())
        .profile(&Profile::ruby_kafka())
        .build()
        .expect("legal");
    for _ in 0..10 {
        producer.send_to_partition("t", 0, &Record::value(b"21.5")).expect("accepted");
    }
    assert!(!producer.flush(Some(Duration::ZERO)), "not delivered yet");
    assert_eq!(producer.stats().buffered, 10);
    let broker = broker_at(address, 1);
    while log(&broker, 0).len() < 10 {
        thread::yield_now();
    }
}

#[test]
fn ak_23_to_ak_31_a_batch_of_ones_own() {
    let broker = broker(2);
    let producer = producer(&broker);
    let topic = producer.topic("t").expect("legal");
    topic.send_to_partition(1, &Record::value(b"before")).expect("accepted");

    let mut batch = producer.create_batch();
    let mut appended: u16 = 0;
    while batch.append(&Record::value(&[b'x'; 100])) == Ok(appended) {
        appended += 1;
    }
    assert!(appended > 1_000 && batch.size() <= 1_048_576, "{appended} records");
    assert_eq!(batch.append(&Record::value(&[b'x'; 100])), Err(AppendError::Full));
    batch.close();
    assert_eq!(batch.append(&Record::null()), Err(AppendError::Closed));
    assert_eq!(producer.stats().accepted, 1, "what is made is not queued");

    let mut first = topic.send_batch(Some(1), &batch).expect("accepted");
    let mut again = topic.send_batch(Some(1), &batch).expect("accepted");
    drop(producer.send_batch("t", Some(1), &batch).expect("accepted"));
    assert_eq!(first.wait().expect("delivered").offset, Some(1), "that of its first record");
    let place = again.wait_timeout(LIMIT).expect("in time").expect("delivered");
    assert_eq!((place.partition.index, place.offset), (1, Some(1 + i64::from(appended))));
    assert!(producer.flush(Some(LIMIT)));
    assert_eq!(log(&broker, 1).len(), 1 + 3 * usize::from(appended), "dropping cancels nothing");
}

#[test]
fn ak_29_a_batch_that_is_given_up_says_so() {
    let broker = broker(1);
    let producer = producer(&broker);
    producer.pause(true);
    let mut batch = producer.create_batch();
    batch.append(&Record::value(b"21.5")).expect("there is room");
    let mut delivery = producer.send_batch("t", Some(0), &batch).expect("accepted");
    producer.purge(Scope::ALL.queued_only());
    assert_eq!(delivery.wait(), Err(DeliveryError::NotPersisted(Reason::Purged)));
}

#[test]
fn dead_letters_of_a_topic_come_to_the_callback() {
    let broker = broker(1);
    let letters = Arc::new(Mutex::new(Vec::new()));
    let inbox = Arc::clone(&letters);
    let producer = builder(&broker)
        .keep_records(KeepRecords::Undelivered)
        .on_report(move |batch| {
            let outcome = batch.report.outcome;
            let records = batch.records.iter().map(|r| (r.value.clone(), outcome));
            inbox.lock().expect("no panic").extend(records);
        })
        .build()
        .expect("legal");
    producer.pause(true);
    let topic = producer.topic("t").expect("legal");
    for value in [b"1", b"2"] {
        topic.send_to_partition(0, &Record::value(value)).expect("accepted");
    }
    producer.purge(Scope::partition(topic.id(), 0));
    assert!(producer.flush(Some(LIMIT)));
    let purged = Outcome::NotPersisted(Reason::Purged);
    let expected = [(Some(b"1".to_vec()), purged), (Some(b"2".to_vec()), purged)];
    assert_eq!(*letters.lock().expect("no panic"), expected);
}

#[test]
fn a_dropped_record_says_so() {
    let broker = broker(1);
    let producer = builder(&broker)
        .configure(|config| {
            config.batch_records = 1;
            config.policies.queue_records_max = 1;
            config.policies.overflow = Overflow::DropOldest;
        })
        .build()
        .expect("legal");
    producer.pause(true);
    let topic = producer.topic("t").expect("legal");
    let send = |value: &[u8]| topic.send_to_partition(0, &Record::value(value)).expect("accepted");
    let (old, new) = (send(b"old"), send(b"new"));
    assert_eq!(old.wait(), Err(DeliveryError::Dropped));
    producer.pause(false);
    new.wait().expect("delivered");
    assert_eq!(log(&broker, 0).len(), 1);
}

#[test]
fn a_pause_outlives_the_driver() {
    let broker = broker(1);
    let producer = builder(&broker).configure(|config| config.linger_ms = 0).build();
    let producer = producer.expect("legal");
    let topic = producer.topic("t").expect("legal");
    producer.pause(true);
    let dies = || topic.post_all_with(None, [Record::null()], |_| panic!("of the test"));
    producer.partitions_for("t").expect("known");
    assert!(catch_unwind(AssertUnwindSafe(dies)).is_err());
    let delivery = topic.send_to_partition(0, &Record::value(b"held")).expect("a new driver");
    assert_eq!(producer.partitions_for("t"), Ok(1));
    // Time enough for what is not paused.
    let other = builder(&broker).build().expect("legal");
    other.send_and_wait("t", &Record::value(b"sent")).expect("delivered");
    producer.purge(Scope::ALL.queued_only());
    assert_eq!(delivery.wait(), Err(DeliveryError::NotPersisted(Reason::Purged)));
    assert_eq!(log(&broker, 0).len(), 1);
    assert_eq!(producer.last_driver_failure().map(|failure| failure.failures), Some(1));
}
