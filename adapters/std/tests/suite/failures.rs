//! A driver that dies.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::thread;

use klamm_std::{DeliveryError, Outcome, Record, SendError};

use crate::common::{broker, builder, log};

const LIMIT: Duration = Duration::from_secs(60);

/// Makes the next checksum of a producer with [`crc`] panic: it is the one foreign function that the
/// core calls, on the driver's thread.
static FAULT: AtomicBool = AtomicBool::new(false);

fn crc(bytes: &[u8]) -> u32 {
    assert!(!FAULT.swap(false, Ordering::Relaxed), "this panic belongs to the test");
    klamm::crc32c(bytes)
}

#[test]
fn a_driver_that_died_is_replaced_by_the_next_call_and_its_records_are_reported() {
    let broker = broker(3);
    let reported = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&reported);
    let producer = builder(&broker)
        .configure(|config| config.crc32c = crc)
        .on_report(move |batch| {
            counter.fetch_add(u64::from(batch.report.records), Ordering::Relaxed);
        })
        .build()
        .expect("legal");
    let other = producer.topic("other").expect("legal");
    let topic = producer.topic("t").expect("legal");
    topic.send_and_wait(&Record::value(b"before")).expect("delivered");
    FAULT.store(true, Ordering::Relaxed);
    let lost = topic.send(&Record::value(b"in between")).expect("accepted");
    assert!(
        matches!(lost.wait(), Err(DeliveryError::Unknown(_) | DeliveryError::DriverFailed)),
        "{lost:?}"
    );
    thread::scope(|scope| {
        for thread in 0..8_u8 {
            let topic = &topic;
            scope.spawn(move || topic.send_and_wait(&Record::value(&[thread])).expect("delivered"));
        }
    });
    let failure = producer.last_driver_failure().expect("it failed");
    assert_eq!(failure.failures, 1);
    assert!(failure.message.contains("this panic belongs to the test"), "{failure}");
    other.send_and_wait(&Record::value(b"its id is the same")).expect("delivered");
    assert!(producer.close(LIMIT).undelivered.is_empty());
    let counted = reported.load(Ordering::Relaxed) + failure.unreported;
    assert_eq!(counted, 11, "each record once");
    let logged: usize = (0..3).map(|partition| log(&broker, partition).len()).sum();
    assert!((9..=10).contains(&logged), "{logged}: the one in between may be there");
    assert_eq!(broker.with(|cluster, _| cluster.log("other", 0).count()), 1);
}

#[test]
fn a_driver_that_died_is_not_replaced_when_the_producer_is_closed() {
    static CLOSING: AtomicBool = AtomicBool::new(false);
    let broker = broker(2);
    let crc = |bytes: &[u8]| {
        assert!(!CLOSING.load(Ordering::Relaxed), "this panic belongs to the test");
        klamm::crc32c(bytes)
    };
    let producer = builder(&broker)
        .configure(|config| (config.crc32c, config.linger_ms) = (crc, 60_000))
        .build()
        .expect("legal");
    producer.partitions_for("t").expect("known");
    let send = |partition| producer.send_to_partition("t", partition, &Record::value(b"v"));
    let deliveries = [send(0), send(1)].map(|sent| sent.expect("accepted"));
    CLOSING.store(true, Ordering::Relaxed);
    let closed = producer.close(LIMIT);
    for delivery in &deliveries {
        let outcome = delivery.wait();
        assert!(
            matches!(outcome, Err(DeliveryError::Unknown(_) | DeliveryError::DriverFailed)),
            "{outcome:?}"
        );
    }
    // The batch at which the core was when it panicked is lost track of, the other is not.
    assert_eq!(closed.undelivered.len(), 1);
    assert_eq!(closed.undelivered[0].record.value.as_deref(), Some(&b"v"[..]));
    assert!(matches!(closed.undelivered[0].outcome, Outcome::Unknown(_)), "{closed:?}");
    assert_eq!(producer.last_driver_failure().map(|failure| failure.unreported), Some(1));
    let error = producer.send("t", &Record::value(b"v")).expect_err("closed");
    assert_eq!(error, SendError::Refused(klamm::SendError::Closed));
    assert!(!producer.flush(Some(LIMIT)));
}
