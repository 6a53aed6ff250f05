//! Senders that wait, and brokers that are not there.

use core::time::Duration;
use std::io::{Read, Write};
use std::thread;

use klamm::{Header, Reason, Record};

use super::LIMIT;
use crate::adapter::{Adapter, Fate, Refused, Setup};
use crate::brokers::{broker, broker_at, log, mute, nobody, values};

/// AK-14.
pub fn max_block_bounds_the_wait_for_metadata<A: Adapter>() {
    let address = nobody();
    let mut setup = Setup::new(address);
    setup.max_block = Duration::from_millis(300);
    let producer = A::start(&setup);
    let error = producer.send("t", None, &Record::value(b"v")).err();
    assert_eq!(error, Some(Refused::Late(klamm::SendError::TopicPending)));
    assert_eq!(connection_error(&producer), format!("{address}: connection refused"));
    assert!(matches!(producer.partitions("t"), Err(Refused::Late(_))));
    assert_eq!((producer.stats().accepted, producer.waiting()), (0, 0));
}

/// PK-11.
pub fn try_send_never_waits<A: Adapter>() {
    let producer = A::start(&Setup::new(nobody()));
    let error = producer.try_send("t", None, &Record::value(b"v")).err();
    assert_eq!(error, Some(Refused::Now(klamm::SendError::TopicPending)));
}

/// Whatever is wrong with the name: no broker is asked, and no legal one is refused.
pub fn rk_17_an_illegal_topic_is_refused_at_once<A: Adapter>() {
    let producer = A::start(&Setup::new(nobody()));
    let long = "t".repeat(250);
    for name in ["", ".", "..", "a/b", "a b", "a\0", "stra\u{df}e", "a\n", &long] {
        let illegal = Some(Refused::Now(klamm::SendError::InvalidTopic));
        assert_eq!(producer.send(name, None, &Record::value(b"v")).err(), illegal, "{name:?}");
        assert_eq!(producer.send(name, Some(0), &Record::value(b"v")).err(), illegal, "{name:?}");
        assert_eq!(producer.partitions(name).err(), illegal, "{name:?}");
    }
    for name in ["t", "...", "A.b_c-9", &long[1..]] {
        let pending = Some(Refused::Now(klamm::SendError::TopicPending));
        assert_eq!(producer.try_send(name, None, &Record::value(b"v")).err(), pending, "{name:?}");
    }
    assert_eq!(producer.stats().accepted, 0);
}

/// PK-10, AK-04, AK-13: a record that was refused never reaches the log.
pub fn full_memory_refuses_after_max_block_and_try_send_at_once<A: Adapter>() {
    let (_listener, address) = mute();
    let mut setup = Setup::new(address).with_little_memory();
    setup.max_block = Duration::from_millis(100);
    let producer = A::start(&setup);
    let accepted = fill(&producer);
    assert!(accepted > 100, "most of the memory is usable: {accepted} KB of 256");
    let other = producer.send("t", Some(1), &Record::value(&[b'x'; 1_000])).err();
    assert_eq!(other, Some(Refused::Late(klamm::SendError::Full)), "memory is everybody's");
    assert_eq!(producer.close(Duration::ZERO).len(), accepted);
    assert_eq!(producer.stats().buffered, 0);
}

/// A sender waits for metadata until the broker is started.
pub fn a_sender_that_waits_goes_on_when_the_broker_comes<A: Adapter>() {
    let address = nobody();
    let producer = A::start(&Setup::new(address));
    let clone = producer.clone();
    let waiting = thread::spawn(move || {
        clone.send("t", None, &Record::value(b"v")).map(|delivery| clone.fate(delivery))
    });
    // Not before the first attempt has failed.
    while producer.last_connection_error().is_none() || producer.waiting() == 0 {
        thread::yield_now();
    }
    let broker = broker_at(address, 1);
    assert_eq!(waiting.join().expect("no panic").expect("accepted").offset(), 0);
    assert_eq!(log(&broker, 0).len(), 1);
    assert_eq!(producer.last_connection_error(), None, "it is connected now");
}

/// franz-go 1.17.1 (nobody is forgotten) and 1.18.1 (those who waited fill batches together).
pub fn waiting_senders_are_served_in_order_and_share_batches<A: Adapter>() {
    const WAITING: u32 = 200;
    let address = nobody();
    let mut setup = Setup::new(address).with_little_memory();
    setup.config.linger_ms = 1_000;
    let producer = A::start(&setup);
    let before = fill_at_once(&producer);
    let threads: Vec<_> = (0..WAITING)
        .map(|n| {
            let clone = producer.clone();
            let thread = thread::spawn(move || {
                let value = [&n.to_le_bytes()[..], &[b'x'; 996]].concat();
                let delivery = clone.send("t", Some(0), &Record::value(&value)).expect("accepted");
                assert!(matches!(clone.fate(delivery), Fate::Delivered(..)));
            });
            wait_for(&producer, usize::try_from(n + 1).expect("small"));
            thread
        })
        .collect();
    let broker = broker_at(address, 1);
    threads.into_iter().for_each(|thread| thread.join().expect("served"));
    assert!(producer.close(LIMIT).is_empty());
    let values = values(&broker, 0);
    assert_eq!(values.len(), before + 200);
    let order = values[before..].iter().map(|value| value[..4].to_vec());
    assert!(order.eq((0..WAITING).map(|n| n.to_le_bytes().to_vec())), "first come, first served");
    let stats = producer.stats();
    let each = stats.accepted / (stats.batches - stats.retries);
    assert!(each >= 8, "{each} records of 1,000 bytes in a batch of 16,384, on the average");
}

/// Else the small ones would take every bit of memory that becomes free.
pub fn small_records_do_not_overtake_a_large_one_that_waits<A: Adapter>() {
    let address = nobody();
    let producer = A::start(&Setup::new(address).with_little_memory());
    let (large, small) = (vec![b'x'; 60_000], [b'y'; 100]);
    let (large, small) = (Record::value(&large), Record::value(&small));
    while producer.try_send("t", Some(0), &large).is_ok() {}
    producer.try_send("t", Some(0), &small).expect("there is room for small ones");
    let before = usize::try_from(producer.stats().accepted).expect("small");
    thread::scope(|scope| {
        scope.spawn(|| producer.send("t", Some(0), &large).expect("accepted in the end"));
        wait_for(&producer, 1);
        let refused = producer.try_send("t", Some(0), &small).err();
        assert_eq!(refused, Some(Refused::Now(klamm::SendError::Full)));
        let broker = broker_at(address, 1);
        while producer.waiting() > 0 {
            thread::yield_now();
        }
        producer.send("t", Some(0), &small).expect("nobody waits any more");
        assert!(producer.close(LIMIT).is_empty());
        let sizes: Vec<_> = values(&broker, 0).iter().skip(before).map(Vec::len).collect();
        assert_eq!(sizes, [60_000, 100]);
    });
}

/// franz-go 1.17.1: whoever is refused in his turn lets the next one try.
pub fn a_record_refused_in_its_turn_holds_up_nobody<A: Adapter>() {
    let address = nobody();
    let producer = A::start(&Setup::new(address).with_little_memory());
    let before = fill_at_once(&producer);
    let threads: Vec<_> = (0..10_usize)
        .map(|n| {
            let clone = producer.clone();
            let thread = thread::spawn(move || {
                let value = vec![b'x'; if n % 2 == 0 { 100_000 } else { 1_000 }];
                let sent = clone.send("t", Some(0), &Record::value(&value));
                sent.map(|delivery| clone.fate(delivery))
            });
            if n % 2 == 1 {
                // A record that is too large may be refused without waiting.
                while producer.waiting() <= n / 2 {
                    thread::yield_now();
                }
            }
            thread
        })
        .collect();
    let broker = broker_at(address, 1);
    for (n, thread) in threads.into_iter().enumerate() {
        let result = thread.join().expect("no panic");
        if n % 2 == 0 {
            let too_large = matches!(result, Err(Refused::Now(klamm::SendError::TooLarge { .. })));
            assert!(too_large, "{result:?}");
        } else {
            assert!(matches!(result, Ok(Fate::Delivered(..))), "{result:?}");
        }
    }
    assert_eq!(log(&broker, 0).len(), before + 5);
    assert_eq!(producer.waiting(), 0);
}

/// KI-10, scenario 65: at once, however long the close itself takes.
pub fn close_wakes_those_who_wait<A: Adapter>() {
    let address = nobody();
    let producer = A::start(&Setup::new(address));
    producer.send("t", Some(0), &Record::value(b"v")).expect("accepted");
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let clone = producer.clone();
            thread::spawn(move || clone.send("t", None, &Record::value(b"v")).err())
        })
        .collect();
    wait_for(&producer, 4);
    let closing = thread::spawn(move || producer.close(LIMIT));
    for thread in waiting {
        let error = thread.join().expect("no panic");
        assert_eq!(error, Some(Refused::Now(klamm::SendError::Closed)));
    }
    assert!(!closing.is_finished(), "there is no broker yet");
    let broker = broker_at(address, 1);
    assert!(closing.join().expect("no panic").is_empty());
    assert_eq!(log(&broker, 0).len(), 1);
}

/// Nothing is lost on the way back.
pub fn close_hands_back_what_was_not_delivered_as_it_was<A: Adapter>() {
    let producer = A::start(&Setup::new(nobody()));
    let deliveries: Vec<_> = (0..300_u32)
        .map(|n| {
            let (key, value) = (n.to_string(), format!("value of {n}"));
            let headers = [Header::new("h", b"1"), Header { key: "null", value: None }];
            let record = Record::value(value.as_bytes()).with_key(key.as_bytes());
            // A partition that is named is taken at its word before the first metadata.
            producer.send("t", Some(3), &record.with_headers(&headers)).expect("accepted")
        })
        .collect();
    let returned = producer.close(Duration::ZERO);
    assert_eq!(returned.len(), 300);
    let purged = Fate::NotPersisted(Reason::Purged);
    for (n, record) in returned.iter().enumerate() {
        assert_eq!(record.to, ("t".to_owned(), 3));
        assert_eq!(record.key.as_deref(), Some(n.to_string().as_bytes()));
        assert_eq!(record.value.as_deref(), Some(format!("value of {n}").as_bytes()));
        let expected = [("h".to_owned(), Some(b"1".to_vec())), ("null".to_owned(), None)];
        assert_eq!(record.headers, expected);
        assert_eq!(record.fate, purged);
    }
    for delivery in deliveries {
        assert_eq!(producer.fate(delivery), purged);
    }
}

/// The error names the peer, and the next server is tried.
pub fn a_peer_that_is_no_broker_is_passed_over<A: Adapter>() {
    let (listener, address) = mute();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = [0; 64];
        let _ = stream.read(&mut bytes).expect("a request");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("an answer");
    });
    let mut setup = Setup::new(address);
    setup.max_block = Duration::from_millis(500);
    let producer = A::start(&setup);
    assert!(producer.partitions("t").is_err());
    peer.join().expect("no panic");
    let cause = connection_error(&producer);
    assert!(cause.starts_with(&address.to_string()), "{cause}");

    let broker = broker(1);
    let producer = A::start(&Setup::new(format!("{},{}", nobody(), broker.address())));
    let delivery = producer.send("t", None, &Record::value(b"v")).expect("accepted");
    assert_eq!(producer.fate(delivery).offset(), 0);
}

/// Sends to partition 0 until it has waited in vain; how many records were accepted?
fn fill<A: Adapter>(producer: &A) -> usize {
    let value = [b'x'; 1_000];
    let mut accepted = 0;
    loop {
        match producer.send("t", Some(0), &Record::value(&value)) {
            Ok(_) => accepted += 1,
            Err(error) => {
                assert_eq!(error, Refused::Late(klamm::SendError::Full));
                return accepted;
            }
        }
        assert!(accepted < 1_000, "more than the memory holds");
    }
}

/// The same without waiting.
fn fill_at_once<A: Adapter>(producer: &A) -> usize {
    let value = [b'x'; 1_000];
    let mut accepted = 0;
    while producer.try_send("t", Some(0), &Record::value(&value)).is_ok() {
        accepted += 1;
        assert!(accepted < 1_000, "more than the memory holds");
    }
    accepted
}

fn wait_for<A: Adapter>(producer: &A, waiting: usize) {
    while producer.waiting() < waiting {
        thread::yield_now();
    }
}

/// What went wrong with a connection, once something has: on a busy machine that may be later than a sender waits.
fn connection_error<A: Adapter>(producer: &A) -> String {
    loop {
        match producer.last_connection_error() {
            Some(error) => return error,
            None => thread::yield_now(),
        }
    }
}
