//! Records that arrive, against the model cluster on real sockets.

use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Wake;
use std::thread::{self, Thread};

use crate::common::{broker, builder, log, producer};
use klamm_std::{
    Acks, BatchReport, Compression, Delivery, Header, KeepRecords, Outcome, Reason, Record,
    RecordId, SendError,
};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_delivery_tells_where_its_record_is() {
    let broker = broker(3);
    let producer = producer(&broker);
    let send = |n: usize| {
        let (key, value) = (format!("key-{}", n % 50), format!("value-{n}"));
        let headers = [Header::new("n", value.as_bytes()), Header { key: "null", value: None }];
        let record = Record::value(value.as_bytes()).with_key(key.as_bytes());
        producer.send("t", &record.with_headers(&headers)).expect("accepted")
    };
    let deliveries: Vec<Delivery> = (0..500).map(send).collect();
    assert!(producer.flush(Some(LIMIT)));
    let logs: Vec<_> = (0..3).map(|partition| log(&broker, partition)).collect();
    assert_eq!(logs.iter().map(Vec::len).sum::<usize>(), 500);
    for (n, delivery) in deliveries.iter().enumerate() {
        let place = delivery.outcome().expect("flushed").expect("delivered");
        let partition = usize::try_from(place.partition.index).expect("not negative");
        let offset = usize::try_from(place.offset.expect("acks=all")).expect("not negative");
        let record = &logs[partition][offset];
        let value = format!("value-{n}");
        assert_eq!(record.value.as_deref(), Some(value.as_bytes()));
        assert_eq!(record.key.as_deref(), Some(format!("key-{}", n % 50).as_bytes()));
        let headers: Vec<_> =
            record.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        assert_eq!(headers, [(&b"n"[..], Some(value.as_bytes())), (&b"null"[..], None)]);
    }
}

#[test]
fn the_ids_of_posted_records_are_those_of_the_reports() {
    const RECORDS: usize = 5_000;
    let broker = broker(3);
    let ids: Arc<Mutex<Vec<RecordId>>> = Arc::default();
    let places: Arc<Mutex<Vec<Option<(i32, i64)>>>> = Arc::new(Mutex::new([None].repeat(RECORDS)));
    let (known, found) = (Arc::clone(&ids), Arc::clone(&places));
    let on_report = move |batch: &BatchReport| {
        let report = batch.report;
        // Batch slots are used again and again: the latest of an id is the one that is meant.
        let known = known.lock().expect("no panic");
        for index in report.first..report.first + report.records {
            let id = |known: &RecordId| known.batch == report.batch && known.index == index;
            let record = known.iter().rposition(id).expect("told before its report");
            let offset = report.offset(index).expect("delivered");
            let before =
                found.lock().expect("no panic")[record].replace((report.partition.index, offset));
            assert_eq!(before, None, "reported twice");
        }
    };
    let configure = |config: &mut klamm_std::Config<'static>| config.batch_size = 600;
    let producer = builder(&broker).configure(configure).on_report(on_report).build();
    let producer = producer.expect("legal");
    let values: Vec<String> = (0..RECORDS).map(|n| format!("value-{n}")).collect();
    let records = values.iter().map(|value| Record::value(value.as_bytes()));
    let keyed = records.zip(&values).map(|(record, value)| record.with_key(value.as_bytes()));
    let topic = producer.topic("t").expect("legal");
    let accepted = topic.post_all_with(None, keyed, |id| ids.lock().expect("no panic").push(id));
    assert_eq!(accepted, Ok(RECORDS as u64));
    assert!(producer.flush(Some(LIMIT)));
    let logs: Vec<_> = (0..3).map(|partition| log(&broker, partition)).collect();
    for (value, place) in values.iter().zip(&*places.lock().expect("no panic")) {
        let (partition, offset) = place.expect("reported");
        let at = (usize::try_from(partition), usize::try_from(offset));
        let (Ok(partition), Ok(offset)) = at else { panic!("{at:?}") };
        assert_eq!(logs[partition][offset].value.as_deref(), Some(value.as_bytes()));
    }
}

#[test]
fn null_and_empty_are_different() {
    let broker = broker(1);
    let producer = producer(&broker);
    for record in [Record::null().with_key(b"k"), Record::value(b"").with_key(b"")] {
        producer.send("t", &record).expect("accepted").wait().expect("delivered");
    }
    let log = log(&broker, 0);
    assert_eq!((log[0].key.as_deref(), log[0].value.as_deref()), (Some(&b"k"[..]), None));
    assert_eq!((log[1].key.as_deref(), log[1].value.as_deref()), (Some(&b""[..]), Some(&b""[..])));
}

#[test]
fn a_delivery_can_be_awaited_cloned_and_dropped() {
    let broker = broker(1);
    let producer = producer(&broker);
    let first = producer.send("t", &Record::value(b"1")).expect("accepted");
    let second = producer.send("t", &Record::value(b"2")).expect("accepted");
    drop(producer.send("t", &Record::value(b"3")).expect("accepted"));
    let both = async { (first.clone().await, second.clone().await, first.await) };
    let (one, two, again) = block_on(both);
    assert_eq!(one.expect("delivered").offset, Some(0));
    assert_eq!(two.expect("delivered").offset, Some(1));
    assert_eq!(one, again);
    assert!(producer.close(LIMIT).undelivered.is_empty());
    assert_eq!(log(&broker, 0).len(), 3, "dropping a delivery cancels nothing");
}

#[test]
fn threads_share_a_producer_and_each_keeps_its_order() {
    const THREADS: u64 = 8;
    const RECORDS: u64 = 2_000;
    let broker = broker(4);
    let producer = builder(&broker)
        // Little memory, so that the threads wait for each other as well.
        .limits(|limits| limits.buffer_memory = 512 * 1024)
        .build()
        .expect("legal");
    thread::scope(|scope| {
        for number in 0..THREADS {
            let topic = producer.topic("t").expect("legal");
            scope.spawn(move || {
                for n in 0..RECORDS {
                    let (key, value) = (number.to_le_bytes(), n.to_le_bytes());
                    topic.send(&Record::value(&value).with_key(&key)).expect("accepted");
                }
            });
        }
    });
    assert!(producer.close(LIMIT).undelivered.is_empty());
    let stats = producer.stats();
    assert_eq!((stats.accepted, stats.delivered), (THREADS * RECORDS, THREADS * RECORDS));
    let mut next = BTreeMap::new();
    for record in (0..4).flat_map(|partition| log(&broker, partition)) {
        let expected = next.entry(record.key.clone()).or_insert(0_u64);
        assert_eq!(record.value.as_deref(), Some(&expected.to_le_bytes()[..]));
        *expected += 1;
    }
    assert_eq!(next.values().copied().collect::<Vec<_>>(), [RECORDS; 8]);
}

#[test]
fn post_all_keeps_the_order_and_counts() {
    let broker = broker(2);
    let producer = producer(&broker);
    let topic = producer.topic("t").expect("legal");
    let values: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let records = values.iter().map(|value| Record::value(value.as_bytes()));
    assert_eq!(topic.post_all(Some(1), records), Ok(10_000));
    assert!(producer.flush(Some(LIMIT)));
    let log = log(&broker, 1);
    let logged = log.iter().filter_map(|record| record.value.as_deref());
    assert!(logged.eq(values.iter().map(String::as_bytes)));
}

#[test]
fn post_all_stops_at_a_record_that_is_refused() {
    let broker = broker(1);
    let producer = producer(&broker);
    let huge = vec![b'x'; 2_000_000];
    let records = [Record::value(b"1"), Record::value(b"2"), Record::value(&huge), Record::null()];
    let topic = producer.topic("t").expect("legal");
    let (accepted, error) = topic.post_all(None, records).expect_err("one is too large");
    assert_eq!(accepted, 2);
    assert!(matches!(error, SendError::Refused(klamm::SendError::TooLarge { .. })), "{error}");
    producer.close(LIMIT);
    assert_eq!(log(&broker, 0).len(), 2);
}

#[test]
fn reports_count_what_was_sent_and_flush_waits_for_the_callback() {
    let broker = broker(3);
    let reported = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&reported);
    let producer = builder(&broker)
        .on_report(move |batch| {
            assert_eq!(&*batch.topic, "t");
            assert!(batch.records.is_empty());
            counter.fetch_add(u64::from(batch.report.records), Ordering::Relaxed);
        })
        .build()
        .expect("legal");
    for round in 1..=5 {
        for n in 0..1_000_u32 {
            let record = Record::value(b"some value").with_key(&[]);
            let key = n.to_le_bytes();
            producer.post("t", &record.with_key(&key)).expect("accepted");
        }
        assert!(producer.flush(Some(LIMIT)));
        assert_eq!(reported.load(Ordering::Relaxed), round * 1_000);
    }
}

#[test]
fn a_callback_that_panics_ends_nothing_but_itself() {
    let broker = broker(1);
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let producer = builder(&broker)
        .on_report(move |_| {
            if counter.fetch_add(1, Ordering::Relaxed) == 0 {
                panic!("this panic belongs to the test");
            }
        })
        .build()
        .expect("legal");
    for _ in 0..2 {
        producer.send("t", &Record::value(b"v")).expect("accepted").wait().expect("delivered");
        assert!(producer.flush(Some(LIMIT)));
    }
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[test]
fn a_callback_sees_records_when_asked_and_may_send_without_waiting() {
    let broker = broker(2);
    let (sender, results) = mpsc::channel();
    let own = Arc::new(Mutex::new(None::<klamm_std::Producer>));
    let in_callback = Arc::clone(&own);
    let producer = builder(&broker)
        .keep_records(KeepRecords::Always)
        .on_report(move |batch| {
            let producer = in_callback.lock().expect("no panic");
            let values: Vec<_> = batch.records.iter().map(|r| r.value.clone()).collect();
            // The second topic's partitions are not known: elsewhere this would wait.
            let refused = producer.as_ref().map(|p| p.send("other", &Record::value(b"v")).err());
            sender
                .send((values, refused, producer.as_ref().map(|p| p.flush(None))))
                .expect("heard");
        })
        .build()
        .expect("legal");
    *own.lock().expect("no panic") = Some(producer.clone());
    producer.send_to_partition("t", 0, &Record::value(b"v")).expect("accepted");
    let (values, refused, flushed) = results.recv_timeout(LIMIT).expect("a report");
    assert_eq!(values, [Some(b"v".to_vec())]);
    let pending = SendError::Refused(klamm::SendError::TopicPending);
    assert_eq!(refused, Some(Some(pending)));
    assert_eq!(flushed, Some(false));
    *own.lock().expect("no panic") = None;
}

#[test]
fn dropping_the_last_clone_delivers_everything_first() {
    let broker = broker(1);
    let producer = builder(&broker).configure(|c| c.linger_ms = 60_000).build();
    // A linger of a minute conflicts with no default: the delivery timeout is two.
    let producer = producer.expect("legal");
    let clone = producer.clone();
    producer.send("t", &Record::value(b"1")).expect("accepted");
    drop(producer);
    clone.send("t", &Record::value(b"2")).expect("one clone is left");
    drop(clone);
    assert_eq!(log(&broker, 0).len(), 2);
}

#[test]
fn closed_is_closed_for_every_clone() {
    let broker = broker(1);
    let producer = producer(&broker);
    let topic = producer.topic("t").expect("legal");
    let clone = producer.clone();
    assert!(clone.close(LIMIT).undelivered.is_empty());
    let closed = SendError::Refused(klamm::SendError::Closed);
    assert_eq!(topic.send(&Record::null()).expect_err("closed"), closed);
    assert_eq!(producer.topic("u").expect_err("closed"), closed);
    assert!(producer.close(LIMIT).undelivered.is_empty());
    assert!(producer.flush(Some(LIMIT)), "nothing is left to flush");
}

#[test]
fn gzip_and_the_other_acks() {
    for acks in [Acks::All, Acks::Leader, Acks::None] {
        let broker = broker(1);
        let producer = builder(&broker)
            .configure(|config| {
                config.acks = acks;
                config.compression_type = Compression::Gzip { level: 6 };
                if acks != Acks::All {
                    config.enable_idempotence = klamm_std::Idempotence::Off;
                }
            })
            .build()
            .expect("legal");
        let value = [b'x'; 1_000];
        let deliveries: Vec<_> = (0..1_000)
            .map(|_| producer.send("t", &Record::value(&value)).expect("accepted"))
            .collect();
        assert!(producer.close(LIMIT).undelivered.is_empty());
        let offset = deliveries[999].wait().expect("delivered").offset;
        assert_eq!(offset, (acks != Acks::None).then_some(999));
        if acks != Acks::None {
            assert_eq!(log(&broker, 0).len(), 1_000);
        }
    }
}

#[test]
fn a_topics_partitions() {
    let broker = broker(7);
    let producer = producer(&broker);
    assert_eq!(producer.partitions_for("t"), Ok(7));
    let error = producer.send_to_partition("t", 7, &Record::null()).expect_err("0 to 6");
    assert_eq!(error, SendError::Refused(klamm::SendError::NoSuchPartition));
    assert!(producer.topic("no/topic").is_err());
}

#[test]
fn a_host_name_works_whichever_of_its_addresses_answers() {
    // The broker listens on 127.0.0.1 only; where `localhost` is `::1` first, that one refuses.
    let broker = broker(1);
    let port = broker.address().port();
    let producer = klamm_std::Producer::builder(&format!("localhost:{port}"));
    let producer = producer.build().expect("legal");
    producer.send("t", &Record::value(b"v")).expect("accepted").wait().expect("delivered");
}

#[test]
fn an_oversize_record_is_refused_with_both_sizes() {
    let broker = broker(1);
    let producer = producer(&broker);
    let value = vec![0; 1_048_576];
    let error = producer.send("t", &Record::value(&value)).expect_err("too large");
    let SendError::Refused(klamm::SendError::TooLarge { size, max }) = error else {
        panic!("{error}")
    };
    assert!(size > 1_048_576 && max <= 1_048_576, "{size} > {max}");
}

#[test]
fn outcomes_are_reported_for_records_given_up() {
    let broker = broker(1);
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&outcomes);
    let producer = builder(&broker)
        .configure(|config| config.linger_ms = 60_000)
        .keep_records(KeepRecords::Undelivered)
        .on_report(move |batch| {
            let values = batch.records.iter().map(|record| record.value.clone());
            heard.lock().expect("no panic").extend(values.map(|v| (v, batch.report.outcome)));
        })
        .build()
        .expect("legal");
    producer.partitions_for("t").expect("known");
    let delivery = producer.send("t", &Record::value(b"never sent")).expect("accepted");
    let closed = producer.close(Duration::ZERO);
    let outcome = closed.undelivered.first().map(|undelivered| undelivered.outcome);
    match delivery.wait() {
        // `close` flushes first, and the broker may be as quick as that.
        Ok(_) => assert_eq!(outcome, None),
        Err(_) => assert!(matches!(
            outcome,
            Some(Outcome::NotPersisted(Reason::Purged) | Outcome::Unknown(Reason::Purged))
        )),
    }
    assert_eq!(outcomes.lock().expect("no panic").len(), closed.undelivered.len());
}

/// The smallest executor there is.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
