//! Brokers that are not there, do not answer, or are none.

use core::time::Duration;
use std::io::{Read, Write};
use std::thread;

use crate::common::{broker, builder, log, mute, nobody};
use klamm_std::{DeliveryError, Header, Outcome, Producer, Reason, Record, SendError};

#[test]
fn max_block_bounds_the_wait_for_metadata_and_the_error_says_why() {
    let address = nobody();
    let producer = Producer::builder(&address.to_string())
        .max_block(Duration::from_millis(300))
        .build()
        .expect("legal");
    let error = producer.send("t", &Record::value(b"v")).expect_err("nobody answers");
    assert!(
        matches!(error, SendError::TimedOut { last: klamm::SendError::TopicPending, .. }),
        "{error}"
    );
    let cause = producer.last_connection_error().expect("nobody listens").to_string();
    assert_eq!(cause, format!("{address}: connection refused"));
    let error = producer.partitions_for("t").expect_err("nobody answers");
    assert!(matches!(error, SendError::TimedOut { .. }), "{error}");
    assert_eq!(producer.stats().accepted, 0);
}

#[test]
fn try_send_never_waits() {
    let producer = Producer::builder(&nobody().to_string()).build().expect("legal");
    let error = producer.try_send("t", &Record::value(b"v")).expect_err("not known yet");
    assert_eq!(error, SendError::Refused(klamm::SendError::TopicPending));
}

#[test]
fn close_hands_back_what_was_not_delivered_as_it_was() {
    let producer = Producer::builder(&nobody().to_string()).build().expect("legal");
    let deliveries: Vec<_> = (0..300_u32)
        .map(|n| {
            let (key, value) = (n.to_string(), format!("value of {n}"));
            let headers = [Header::new("h", b"1"), Header { key: "null", value: None }];
            let record = Record::value(value.as_bytes()).with_key(key.as_bytes());
            let record = record.with_headers(&headers);
            // A partition that is named is taken at its word before the first metadata.
            producer.send_to_partition("t", 3, &record).expect("accepted")
        })
        .collect();
    let closed = producer.close(Duration::ZERO);
    assert_eq!(closed.undelivered.len(), 300);
    for (n, undelivered) in closed.undelivered.iter().enumerate() {
        let record = &undelivered.record;
        assert_eq!((&*record.topic, record.partition), ("t", 3));
        assert_eq!(record.key.as_deref(), Some(n.to_string().as_bytes()));
        assert_eq!(record.value.as_deref(), Some(format!("value of {n}").as_bytes()));
        assert_eq!(record.headers.len(), 2);
        assert_eq!(record.headers[0].value.as_deref(), Some(&b"1"[..]));
        assert_eq!(record.headers[1].value, None);
        assert_eq!(undelivered.outcome, Outcome::NotPersisted(Reason::Purged));
    }
    for delivery in deliveries {
        assert_eq!(delivery.wait(), Err(DeliveryError::NotPersisted(Reason::Purged)));
    }
}

#[test]
fn full_memory_refuses_after_max_block_and_try_send_at_once() {
    let (_listener, address) = mute();
    let producer = Producer::builder(&address.to_string())
        .limits(|limits| limits.buffer_memory = 256 * 1024)
        .configure(|config| {
            config.batch_size = 16_384;
            config.max_request_size = 65_536;
        })
        .max_block(Duration::from_millis(100))
        .build()
        .expect("legal");
    let value = [b'x'; 1_000];
    let mut accepted = 0;
    let error = loop {
        match producer.send_to_partition("t", 0, &Record::value(&value)) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 1_000, "more than the memory holds");
    };
    assert!(matches!(error, SendError::TimedOut { last: klamm::SendError::Full, .. }), "{error}");
    assert!(accepted > 100, "most of the memory is usable: {accepted} KB of 256");
    let other = producer.topic("t").expect("known").send_to_partition(1, &Record::value(&value));
    assert!(matches!(other, Err(SendError::TimedOut { .. })), "memory is everybody's");
    let closed = producer.close(Duration::ZERO);
    assert_eq!(closed.undelivered.len(), accepted);
    assert_eq!(producer.stats().buffered, 0);
}

#[test]
fn a_thread_that_waits_goes_on_when_the_broker_comes() {
    let address = nobody();
    let producer = Producer::builder(&address.to_string()).build().expect("legal");
    let waiting = {
        let producer = producer.clone();
        thread::spawn(move || producer.send("t", &Record::value(b"v")).map(|d| d.wait()))
    };
    // Not before the first attempt has failed.
    while producer.last_connection_error().is_none() {
        thread::yield_now();
    }
    let options = klamm_sim::dev_broker::Options {
        listen: address,
        topics: vec![("t".into(), 1)],
        ..klamm_sim::dev_broker::Options::default()
    };
    let broker = klamm_sim::dev_broker::DevBroker::start(options).expect("the port is still free");
    let delivered = waiting.join().expect("no panic").expect("accepted").expect("delivered");
    assert_eq!(delivered.offset, Some(0));
    assert_eq!(log(&broker, 0).len(), 1);
    assert_eq!(producer.last_connection_error(), None, "it is connected now");
}

#[test]
fn close_wakes_threads_that_wait() {
    let producer = Producer::builder(&nobody().to_string()).build().expect("legal");
    let waiting = {
        let producer = producer.clone();
        thread::spawn(move || producer.send("t", &Record::value(b"v")).map(|_| ()))
    };
    while producer.last_connection_error().is_none() {
        thread::yield_now();
    }
    producer.close(Duration::ZERO);
    let error = waiting.join().expect("no panic").expect_err("closed");
    assert_eq!(error, SendError::Refused(klamm::SendError::Closed));
}

#[test]
fn a_peer_that_is_no_broker_is_named_and_the_next_server_tried() {
    let (listener, address) = mute();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = [0; 64];
        let _ = stream.read(&mut bytes).expect("a request");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("an answer");
    });
    let producer = Producer::builder(&address.to_string())
        .max_block(Duration::from_millis(500))
        .build()
        .expect("legal");
    assert!(producer.partitions_for("t").is_err());
    peer.join().expect("no panic");
    let cause = producer.last_connection_error().expect("an error").to_string();
    assert!(cause.starts_with(&address.to_string()), "{cause}");

    let broker = broker(1);
    let servers = format!("{},{}", nobody(), broker.address());
    let producer = Producer::builder(&servers).build().expect("legal");
    producer.send("t", &Record::value(b"v")).expect("accepted").wait().expect("delivered");
    assert_eq!(log(&broker, 0).len(), 1);
    drop(builder(&broker).build().expect("a producer that did nothing ends at once"));
}
