//! Brokers that go away in the middle, and a driver that dies.

use core::time::Duration;
use std::thread;

use klamm_std::{DeliveryError, Record, SendError};

use crate::common::{broker, builder, log, producer};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_broker_that_restarts_gets_every_record_once_and_in_order() {
    const RECORDS: u32 = 20_000;
    let broker = broker(3);
    let producer = producer(&broker);
    let topic = producer.topic("t").expect("legal");
    let sender = thread::spawn(move || {
        for n in 0..RECORDS {
            let partition = i32::try_from(n % 3).expect("small");
            topic.send_to_partition(partition, &Record::value(&n.to_le_bytes())).expect("accepted");
        }
    });
    let logged = || broker.with(|cluster, _| cluster.stats().records);
    for round in 0..8 {
        // Each restart meets a connection with something in flight, until all is sent.
        let before = logged();
        while logged() == before && before < u64::from(RECORDS) {
            thread::yield_now();
        }
        let restarted = broker.with(|cluster, now| cluster.restart(0, now));
        assert!(restarted.is_ok(), "round {round}: {restarted:?}");
    }
    sender.join().expect("every record is accepted");
    let closed = producer.close(LIMIT);
    assert!(closed.undelivered.is_empty(), "{:?}", closed.undelivered.first());
    for partition in 0..3_u32 {
        let log = log(&broker, i32::try_from(partition).expect("small"));
        let values = log.iter().filter_map(|record| record.value.as_deref());
        let expected: Vec<_> = (0..RECORDS).filter(|n| n % 3 == partition).collect();
        assert!(values.eq(expected.iter().map(|n| n.to_le_bytes())), "partition {partition}");
    }
    assert!(producer.stats().connects > 1, "the restarts were noticed");
}

#[test]
fn when_the_driver_dies_everyone_who_waits_gets_to_know() {
    let broker = broker(1);
    let producer = builder(&broker)
        // The checksum is the one foreign function that the core calls, on the driver's thread.
        .configure(|config| config.crc32c = |_| panic!("this panic belongs to the test"))
        .build()
        .expect("legal");
    let delivery = producer.send("t", &Record::value(b"v")).expect("accepted");
    assert_eq!(delivery.wait(), Err(DeliveryError::DriverFailed));
    let error = producer.send("t", &Record::value(b"v")).expect_err("nobody drives");
    assert_eq!(error, SendError::DriverFailed);
    assert_eq!(producer.topic("u").expect_err("nobody drives"), SendError::DriverFailed);
    assert!(!producer.flush(Some(LIMIT)));
    assert!(producer.close(LIMIT).undelivered.is_empty());
}
