//! What this adapter has beyond the suite of `klamm-conformance`.

use core::future::Future;
use core::panic::AssertUnwindSafe;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Wake;
use std::thread::{self, Thread};

use crate::common::{broker, builder, log, mute, producer};
use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_std::{
    BatchReport, Compression, Config, DeliveryError, KeepRecords, ProduceError, Producer, Reason,
    Record, RecordId, SendError,
};

const LIMIT: Duration = Duration::from_secs(60);

/// Nobody sends the records while it is paused: a call that waited would wait for ever.
#[test]
fn ck_08_asking_for_an_outcome_never_waits() {
    let broker = broker(1);
    let producer = producer(&broker);
    producer.pause(true);
    let send = |_| producer.send_to_partition("t", 0, &Record::value(b"v")).expect("accepted");
    let deliveries: Vec<_> = (0..3).map(send).collect();
    assert!(deliveries.iter().all(|delivery| delivery.outcome().is_none()));
    producer.pause(false);
    assert!(producer.flush(Some(LIMIT)));
    for (offset, delivery) in (0..).zip(&deliveries) {
        let delivered = delivery.outcome().expect("there is one").expect("delivered");
        assert_eq!(delivered.offset, Some(offset));
        assert_eq!(delivery.outcome(), Some(Ok(delivered)), "asking takes nothing away");
    }
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

/// Partition and offset.
type Place = Option<(i32, i64)>;

#[test]
fn the_ids_of_posted_records_are_those_of_the_reports() {
    const RECORDS: usize = 5_000;
    let broker = broker(3);
    let ids: Arc<Mutex<Vec<RecordId>>> = Arc::default();
    let places: Arc<Mutex<Vec<Place>>> = Arc::new(Mutex::new([None].repeat(RECORDS)));
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
    let configure = |config: &mut Config<'static>| config.batch_size = 600;
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
fn a_topics_handle_may_have_its_own_codec() {
    let broker = broker(1);
    let producer = builder(&broker)
        .limits(|limits| limits.codecs = &[Compression::Lz4 { level: 1 }])
        .build()
        .expect("legal");
    let topic = producer.topic("t").expect("legal");
    let small = topic.with_compression(Compression::Lz4 { level: 1 });
    let value = [b'x'; 1_000];
    let mut deliveries = Vec::new();
    for handle in [&topic, &small, &topic] {
        deliveries.push(handle.send(&Record::value(&value)).expect("accepted"));
    }
    let offsets: Vec<_> =
        deliveries.iter().map(|delivery| delivery.wait().expect("delivered").offset).collect();
    assert_eq!(offsets, [Some(0), Some(1), Some(2)], "in order, whatever the codec");
    let other = topic.with_compression(Compression::Zstd { level: 3 });
    let error = other.send(&Record::value(&value)).expect_err("not in the limits");
    assert!(matches!(error, SendError::Refused(klamm::SendError::CodecMissing)), "{error}");
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
fn a_callback_sees_records_when_asked_and_may_send_without_waiting() {
    let broker = broker(2);
    let (sender, results) = mpsc::channel();
    let own = Arc::new(Mutex::new(None::<Producer>));
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

/// PK-17: delivered, or the error is the call's.
#[test]
fn send_and_wait_says_what_became_of_the_record() {
    // A broker that answers may do so before this thread has looked at its limit.
    let (_listener, address) = mute();
    let lonely = Producer::builder(&address.to_string()).max_block(Duration::ZERO).build();
    let refused = lonely.expect("legal").send_and_wait("t", &Record::value(b"too early"));
    assert!(matches!(refused, Err(ProduceError::Send(_))), "{refused:?}");

    let broker = broker(1);
    let producer = producer(&broker);
    let delivered = producer.send_and_wait("t", &Record::value(b"v")).expect("delivered");
    assert_eq!(delivered.offset, Some(0));
    let code = 29; // TOPIC_AUTHORIZATION_FAILED
    broker.with(|cluster, _| cluster.inject(Rule::once(Api::Produce, Fault::Error(code))));
    let failed = producer.send_and_wait("t", &Record::value(b"v")).expect_err("not allowed");
    let ProduceError::Delivery(DeliveryError::NotPersisted(reason)) = failed else {
        panic!("{failed:?}")
    };
    assert!(matches!(reason, Reason::Rejected(_)), "{reason:?}");
    assert_eq!(log(&broker, 0).len(), 1);
}

/// PK-21, PK-32.
#[test]
fn leaving_a_scope_delivers_and_closes() {
    let broker = broker(1);
    let lingering = || builder(&broker).configure(|config| config.linger_ms = 60_000);
    let scope = lingering().build().expect("legal").scoped(LIMIT);
    let clone = Producer::clone(&scope);
    scope.post("t", &Record::value(b"1")).expect("accepted");
    drop(scope);
    assert_eq!(log(&broker, 0).len(), 1);
    let closed = SendError::Refused(klamm::SendError::Closed);
    assert_eq!(clone.post("t", &Record::value(b"2")), Err(closed));

    let left = catch_unwind(AssertUnwindSafe(|| {
        let scope = lingering().build().expect("legal").scoped(LIMIT);
        scope.post("t", &Record::value(b"3")).expect("accepted");
        panic!("this panic belongs to the test");
    }));
    assert!(left.is_err());
    assert_eq!(log(&broker, 0).len(), 2, "a panic leaves the scope as well");

    let scope = lingering().build().expect("legal").scoped(Duration::ZERO);
    assert!(scope.close().undelivered.is_empty());
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
