//! Drivers that die: the next call starts another one, and the records have their outcome.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::thread;

use klamm::Record;

use super::LIMIT;
use crate::adapter::{Fate, Refused, Setup};
use crate::brokers::{broker, log};
use crate::host::{HostAdapter, builder};

/// Makes the next checksum of a producer with [`crc`] panic: it is a foreign function that the core
/// calls on the driver.
static FAULT: AtomicBool = AtomicBool::new(false);

fn crc(bytes: &[u8]) -> u32 {
    assert!(!FAULT.swap(false, Ordering::Relaxed), "this panic belongs to the test");
    klamm::crc32c(bytes)
}

/// RK-20, PK-23.
pub fn a_driver_that_died_is_replaced_by_the_next_call_and_its_records_are_reported<
    A: HostAdapter,
>() {
    let broker = broker(3);
    let reported = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&reported);
    let setup = Setup::new(broker.address());
    let producer =
        A::build(builder(&setup).configure(|config| config.crc32c = crc).on_report(move |batch| {
            counter.fetch_add(u64::from(batch.report.records), Ordering::Relaxed);
        }));
    let send = |producer: &A, value: &[u8]| {
        let delivery = producer.send("t", None, &Record::value(value)).expect("accepted");
        producer.fate(delivery)
    };
    assert!(matches!(send(&producer, b"before"), Fate::Delivered(..)));
    FAULT.store(true, Ordering::Relaxed);
    let lost = send(&producer, b"in between");
    assert!(matches!(lost, Fate::Unknown(_) | Fate::Other), "{lost:?}");
    thread::scope(|scope| {
        for thread in 0..8_u8 {
            let producer = producer.clone();
            scope.spawn(move || {
                assert!(matches!(send(&producer, &[thread]), Fate::Delivered(..)));
            });
        }
    });
    let failure = producer.last_driver_failure().expect("it failed");
    assert_eq!(failure.failures, 1);
    assert!(failure.message.contains("panic"), "{failure}");
    assert!(producer.close(LIMIT).is_empty());
    let counted = reported.load(Ordering::Relaxed) + failure.unreported;
    assert_eq!(counted, 10, "each record once");
    let logged: usize = (0..3).map(|partition| log(&broker, partition).len()).sum();
    assert!((9..=10).contains(&logged), "{logged}: the one in between may be there");
}

/// What is closed stays closed.
pub fn a_driver_that_died_is_not_replaced_when_the_producer_is_closed<A: HostAdapter>() {
    static CLOSING: AtomicBool = AtomicBool::new(false);
    let broker = broker(2);
    let crc = |bytes: &[u8]| {
        assert!(!CLOSING.load(Ordering::Relaxed), "this panic belongs to the test");
        klamm::crc32c(bytes)
    };
    let setup = Setup::new(broker.address());
    let producer = A::build(
        builder(&setup).configure(|config| (config.crc32c, config.linger_ms) = (crc, 60_000)),
    );
    producer.partitions("t").expect("known");
    let send = |partition| producer.send("t", Some(partition), &Record::value(b"v"));
    let deliveries = [send(0), send(1)].map(|sent| sent.expect("accepted"));
    CLOSING.store(true, Ordering::Relaxed);
    let returned = producer.close(LIMIT);
    for delivery in deliveries {
        let fate = producer.fate(delivery);
        assert!(matches!(fate, Fate::Unknown(_) | Fate::Other), "{fate:?}");
    }
    // The batch at which the core was when it panicked is lost track of, the other is not.
    assert_eq!(returned.len(), 1);
    assert_eq!(returned[0].value.as_deref(), Some(&b"v"[..]));
    assert!(matches!(returned[0].fate, Fate::Unknown(_)), "{returned:?}");
    assert_eq!(producer.last_driver_failure().map(|failure| failure.unreported), Some(1));
    assert_eq!(send(0).err(), Some(Refused::Now(klamm::SendError::Closed)));
    assert!(!producer.flush());
}

/// A panic under the lock, in a sender's call, ends the driver, also one that sleeps.
pub fn a_sender_that_panics_under_the_lock_leaves_nobody_waiting<A: HostAdapter>() {
    let broker = broker(1);
    let mut setup = Setup::new(broker.address());
    // The driver has nothing to do for a minute.
    setup.config.linger_ms = 60_000;
    let producer = A::start(&setup);
    producer.partitions("t").expect("known");
    let delivery = producer.send("t", Some(0), &Record::value(b"v")).expect("accepted");
    let panics = || panic!("this panic belongs to the test");
    assert!(catch_unwind(AssertUnwindSafe(|| producer.post_and_call("t", panics))).is_err());
    let fate = producer.fate_within(delivery, LIMIT / 2).expect("it is known soon");
    assert!(matches!(fate, Fate::Unknown(_)), "{fate:?}");
    let again = producer.send("t", Some(0), &Record::value(b"again")).expect("a new driver");
    assert!(producer.flush());
    assert_eq!(producer.fate(again).offset(), 0);
    assert!(producer.close(Duration::ZERO).is_empty());
}
