//! Records that arrive.

use std::collections::BTreeMap;
use std::thread;

use klamm::{Acks, Compression, Header, Idempotence, Record};

use super::LIMIT;
use crate::adapter::{Adapter, Fate, Refused, Setup};
use crate::brokers::{broker, log, values};

/// Deliveries and the log agree, with keys and headers.
pub fn a_delivery_tells_where_its_record_is<A: Adapter>() {
    let broker = broker(3);
    let producer = A::start(&Setup::new(broker.address()));
    let send = |n: usize| {
        let (key, value) = (format!("key-{}", n % 50), format!("value-{n}"));
        let headers = [Header::new("n", value.as_bytes()), Header { key: "null", value: None }];
        let record = Record::value(value.as_bytes()).with_key(key.as_bytes());
        producer.send("t", None, &record.with_headers(&headers)).expect("accepted")
    };
    let deliveries: Vec<A::Delivery> = (0..500).map(send).collect();
    assert!(producer.flush());
    let logs: Vec<_> = (0..3).map(|partition| log(&broker, partition)).collect();
    assert_eq!(logs.iter().map(Vec::len).sum::<usize>(), 500);
    for (n, delivery) in deliveries.into_iter().enumerate() {
        let Fate::Delivered(place, Some(offset)) = producer.fate(delivery) else { panic!("{n}") };
        let partition = usize::try_from(place.index).expect("not negative");
        let record = &logs[partition][usize::try_from(offset).expect("not negative")];
        let value = format!("value-{n}");
        assert_eq!(record.value.as_deref(), Some(value.as_bytes()));
        assert_eq!(record.key.as_deref(), Some(format!("key-{}", n % 50).as_bytes()));
        let headers: Vec<_> =
            record.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        assert_eq!(headers, [(&b"n"[..], Some(value.as_bytes())), (&b"null"[..], None)]);
    }
}

/// Kafka's null is not the empty string.
pub fn null_and_empty_are_different<A: Adapter>() {
    let broker = broker(1);
    let producer = A::start(&Setup::new(broker.address()));
    for record in [Record::null().with_key(b"k"), Record::value(b"").with_key(b"")] {
        let delivery = producer.send("t", None, &record).expect("accepted");
        assert!(matches!(producer.fate(delivery), Fate::Delivered(..)));
    }
    let log = log(&broker, 0);
    assert_eq!((log[0].key.as_deref(), log[0].value.as_deref()), (Some(&b"k"[..]), None));
    assert_eq!((log[1].key.as_deref(), log[1].value.as_deref()), (Some(&b""[..]), Some(&b""[..])));
}

/// AK-06.
pub fn dropping_a_delivery_cancels_nothing<A: Adapter>() {
    let broker = broker(1);
    let producer = A::start(&Setup::new(broker.address()));
    for n in 0..100_u8 {
        drop(producer.send("t", None, &Record::value(&[n])).expect("accepted"));
    }
    assert!(producer.close(LIMIT).is_empty());
    assert!(values(&broker, 0).into_iter().eq((0..100_u8).map(|n| vec![n])));
}

/// RK-11, CK-29: eight threads, and so little memory that they wait for each other.
pub fn threads_share_a_producer_and_each_keeps_its_order<A: Adapter>() {
    const THREADS: u64 = 8;
    const RECORDS: u64 = 2_000;
    let broker = broker(4);
    let producer = A::start(&Setup::new(broker.address()).with_little_memory());
    let value = |n: u64| [&n.to_le_bytes()[..], &[b'x'; 192]].concat();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let producer = producer.clone();
            scope.spawn(move || {
                for n in 0..RECORDS {
                    let (key, value) = (number.to_le_bytes(), value(n));
                    let record = Record::value(&value).with_key(&key);
                    producer.send("t", None, &record).expect("accepted");
                }
            });
        }
    });
    assert!(producer.close(LIMIT).is_empty());
    let stats = producer.stats();
    assert_eq!((stats.accepted, stats.delivered), (THREADS * RECORDS, THREADS * RECORDS));
    assert_eq!(producer.waiting(), 0);
    let mut next = BTreeMap::new();
    for record in (0..4).flat_map(|partition| log(&broker, partition)) {
        let expected = next.entry(record.key.clone()).or_insert(0_u64);
        assert_eq!(record.value.as_deref(), Some(&value(*expected)[..]));
        *expected += 1;
    }
    assert_eq!(next.values().copied().collect::<Vec<_>>(), [RECORDS; 8]);
}

/// KI-24. Whether the drop waits for it is the adapter's business.
pub fn dropping_the_last_clone_still_delivers<A: Adapter>() {
    let broker = broker(1);
    let mut setup = Setup::new(broker.address());
    // A linger of a minute conflicts with no default: the delivery timeout is two.
    setup.config.linger_ms = 60_000;
    let producer = A::start(&setup);
    let clone = producer.clone();
    let first = producer.send("t", None, &Record::value(b"1")).expect("accepted");
    drop(producer);
    let second = clone.send("t", None, &Record::value(b"2")).expect("one clone is left");
    drop((first, second, clone));
    while log(&broker, 0).len() < 2 {
        thread::yield_now();
    }
}

/// After `close` nothing is accepted, and everything returns at once.
pub fn closed_is_closed_for_every_clone<A: Adapter>() {
    let broker = broker(1);
    let producer = A::start(&Setup::new(broker.address()));
    assert!(producer.partitions("t").is_ok());
    let clone = producer.clone();
    assert!(clone.close(LIMIT).is_empty());
    let closed = Some(Refused::Now(klamm::SendError::Closed));
    assert_eq!(producer.send("t", None, &Record::null()).err(), closed);
    assert_eq!(producer.try_send("t", None, &Record::null()).err(), closed);
    assert_eq!(producer.send("u", Some(0), &Record::null()).err(), closed);
    assert!(producer.close(LIMIT).is_empty());
    assert!(producer.flush(), "nothing is left to flush");
}

/// Every codec, and every level of `acks`.
pub fn codecs_and_the_other_acks<A: Adapter>() {
    for (acks, codec) in [
        (Acks::All, Compression::Gzip { level: 6 }),
        (Acks::All, Compression::Snappy),
        (Acks::All, Compression::Lz4 { level: 9 }),
        (Acks::All, Compression::Zstd { level: 3 }),
        (Acks::Leader, Compression::Gzip { level: 1 }),
        (Acks::None, Compression::Lz4 { level: 1 }),
    ] {
        let broker = broker(1);
        let mut setup = Setup::new(broker.address());
        setup.config.acks = acks;
        setup.config.compression_type = codec;
        if acks != Acks::All {
            setup.config.enable_idempotence = Idempotence::Off;
        }
        let producer = A::start(&setup);
        let value = [b'x'; 1_000];
        let send = |_| producer.send("t", None, &Record::value(&value)).expect("accepted");
        let mut deliveries: Vec<_> = (0..1_000).map(send).collect();
        assert!(producer.close(LIMIT).is_empty());
        let last = producer.fate(deliveries.pop().expect("one of 1,000"));
        let Fate::Delivered(_, offset) = last else { panic!("{last:?}") };
        assert_eq!(offset, (acks != Acks::None).then_some(999));
        // With acks = 0 the broker may still be reading.
        while acks == Acks::None && log(&broker, 0).len() < 1_000 {
            thread::yield_now();
        }
        assert_eq!(log(&broker, 0).len(), 1_000);
    }
}

/// Metadata, and a partition that is not there.
pub fn a_topics_partitions<A: Adapter>() {
    let broker = broker(7);
    let producer = A::start(&Setup::new(broker.address()));
    assert_eq!(producer.partitions("t"), Ok(7));
    let error = producer.send("t", Some(7), &Record::null()).err();
    assert_eq!(error, Some(Refused::Now(klamm::SendError::NoSuchPartition)));
    assert!(producer.partitions("no/topic").is_err());
}

/// The broker listens on 127.0.0.1 only; where `localhost` is `::1` first, that one refuses.
pub fn a_host_name_works_whichever_of_its_addresses_answers<A: Adapter>() {
    let broker = broker(1);
    let producer = A::start(&Setup::new(format!("localhost:{}", broker.address().port())));
    let delivery = producer.send("t", None, &Record::value(b"v")).expect("accepted");
    assert_eq!(producer.fate(delivery).offset(), 0);
}

/// CK-30.
pub fn an_oversize_record_is_refused_with_both_sizes<A: Adapter>() {
    let broker = broker(1);
    let producer = A::start(&Setup::new(broker.address()));
    let value = vec![0; 1_048_576];
    let error = producer.send("t", None, &Record::value(&value)).err();
    let Some(Refused::Now(klamm::SendError::TooLarge { size, max })) = error else {
        panic!("{error:?}")
    };
    assert!(size > 1_048_576 && max <= 1_048_576, "{size} > {max}");
}

/// Part of it waits until the socket takes more bytes, and nothing else happens meanwhile.
pub fn a_request_is_larger_than_what_the_socket_takes_at_once<A: Adapter>() {
    const PARTITIONS: i32 = 16;
    let broker = broker(PARTITIONS);
    let mut setup = Setup::new(broker.address());
    setup.config.linger_ms = 60_000;
    setup.config.max_request_size = 32 << 20;
    setup.limits.buffer_memory = 96 << 20;
    let producer = A::start(&setup);
    assert_eq!(producer.partitions("t"), Ok(PARTITIONS));
    let value = vec![b'x'; 900_000];
    for partition in 0..PARTITIONS {
        producer.send("t", Some(partition), &Record::value(&value)).expect("accepted");
    }
    assert!(producer.flush());
    let stats = producer.stats();
    assert_eq!((stats.delivered, stats.retries), (16, 0));
    assert!((0..PARTITIONS).all(|partition| values(&broker, partition) == [&value[..]]));
}

/// KAFKA-12870: a flush that is over leaves nothing behind.
pub fn a_second_flush_works_and_linger_applies_after_it<A: Adapter>() {
    let broker = broker(1);
    let mut setup = Setup::new(broker.address());
    setup.config.linger_ms = 60_000;
    let producer = A::start(&setup);
    for round in 1..=3_u8 {
        for n in 0..10 {
            producer.send("t", Some(0), &Record::value(&[round, n])).expect("accepted");
        }
        assert!(producer.flush());
        assert_eq!(log(&broker, 0).len(), usize::from(round) * 10);
        assert_eq!(producer.stats().batches, u64::from(round), "ten records lingered together");
    }
}

/// The dedup of the broker, and the order of the retries, over real sockets.
pub fn a_broker_that_restarts_gets_every_record_once_and_in_order<A: Adapter>() {
    const RECORDS: u32 = 20_000;
    let broker = broker(3);
    let producer = A::start(&Setup::new(broker.address()));
    let clone = producer.clone();
    let sender = thread::spawn(move || {
        for n in 0..RECORDS {
            let partition = i32::try_from(n % 3).expect("small");
            clone.send("t", Some(partition), &Record::value(&n.to_le_bytes())).expect("accepted");
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
    let returned = producer.close(LIMIT);
    assert!(returned.is_empty(), "{:?}", returned.first());
    for partition in 0..3_u32 {
        let expected = (0..RECORDS).filter(|n| n % 3 == partition);
        let values = values(&broker, i32::try_from(partition).expect("small"));
        assert!(values.into_iter().eq(expected.map(|n| n.to_le_bytes().to_vec())), "{partition}");
    }
    assert!(producer.stats().connects > 1, "the restarts were noticed");
}
