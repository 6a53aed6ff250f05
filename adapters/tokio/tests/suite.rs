//! What is this adapter's own: futures that are dropped, runtimes that end. What all adapters do is
//! in `klamm-conformance`.

use core::future::Future;
use core::net::{Ipv4Addr, SocketAddr};
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;

use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::dev_broker::{self, DevBroker, Options};
use klamm_tokio::{Builder, Delivery, DeliveryError, Producer, Reason, Record, Scope, SendError};
use tokio::runtime;
use tokio::task::yield_now;

const LIMIT: Duration = Duration::from_secs(60);

type Sent<'s> = Pin<Box<dyn Future<Output = Result<Delivery, SendError>> + Send + 's>>;

#[tokio::test]
async fn a_waiting_send_that_is_dropped_never_enqueues_and_holds_up_nobody() {
    let address = nobody();
    let producer = with_little_memory(address).build().expect("legal");
    let before = fill(&producer);
    let values: Vec<Vec<u8>> = (0..6_u8).map(|n| vec![n; 1_000]).collect();
    let records: Vec<_> = values.iter().map(|value| Record::value(value)).collect();
    let mut sends: Vec<Option<Sent<'_>>> = Vec::new();
    for (n, record) in records.iter().enumerate() {
        let mut send: Sent<'_> = Box::pin(producer.send_to_partition("t", 0, record));
        assert!(poll_once(&mut send, Waker::noop()).is_pending());
        assert_eq!(producer.waiting(), n + 1);
        sends.push(Some(send));
    }
    // The first, the last, and one in the middle.
    for n in [0, 5, 2] {
        sends[n] = None;
    }
    assert_eq!(producer.waiting(), 3);
    let broker = broker_at(address, 1);
    for send in sends.into_iter().flatten() {
        send.await.expect("accepted").await.expect("delivered");
    }
    assert!(producer.close(LIMIT).await.undelivered.is_empty());
    let log = values_of(&broker);
    assert_eq!(log.len(), before + 3);
    assert_eq!(log[before..], [&values[1][..], &values[3], &values[4]]);
    assert_eq!(producer.stats().accepted, u64::try_from(before + 3).expect("small"));
}

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The wake that a dropped future took with it is passed on.
#[tokio::test]
async fn a_send_that_was_woken_and_dropped_lets_the_next_one_go_on() {
    let address = nobody();
    let producer = with_little_memory(address).build().expect("legal");
    let before = fill(&producer);
    let woken = Arc::<Count>::default();
    let record = Record::value(&[b'x'; 1_000]);
    let mut first: Sent<'_> = Box::pin(producer.send_to_partition("t", 0, &record));
    assert!(poll_once(&mut first, &Waker::from(Arc::clone(&woken))).is_pending());
    let mut second = pin!(producer.send_to_partition("t", 0, &record));
    assert!(poll_once(&mut second, Waker::noop()).is_pending());
    let broker = broker_at(address, 1);
    while woken.0.load(Ordering::Relaxed) == 0 {
        yield_now().await;
    }
    // All memory is free by now, so no other wake comes.
    while producer.stats().buffered > 0 {
        yield_now().await;
    }
    let next = Arc::<Count>::default();
    assert!(poll_once(&mut second, &Waker::from(Arc::clone(&next))).is_pending(), "in its turn");
    drop(first);
    assert_eq!(next.0.load(Ordering::Relaxed), 1);
    second.await.expect("accepted").await.expect("delivered");
    assert_eq!(values_of(&broker).len(), before + 1);
}

#[tokio::test]
async fn dropping_what_waits_for_an_outcome_cancels_nothing() {
    let broker = broker(1);
    let producer = Producer::builder(&broker.address().to_string())
        .configure(|config| config.linger_ms = 60_000)
        .build()
        .expect("legal");
    let delivery = producer.send("t", &Record::value(b"1")).await.expect("accepted");
    let mut waited = delivery.clone();
    assert!(poll_once(&mut waited, Waker::noop()).is_pending());
    drop(waited);
    {
        let record = Record::value(b"2");
        let mut both = pin!(producer.send_and_wait("t", &record));
        assert!(poll_once(&mut both, Waker::noop()).is_pending(), "it is accepted by now");
    }
    {
        let mut flush = pin!(producer.flush());
        assert!(poll_once(&mut flush, Waker::noop()).is_pending());
    }
    assert_eq!(delivery.await.expect("delivered").offset, Some(0));
    while values_of(&broker).len() < 2 {
        yield_now().await;
    }
}

#[tokio::test]
async fn a_close_that_is_dropped_is_under_way_all_the_same() {
    let producer = Producer::builder(&nobody().to_string()).build().expect("legal");
    producer.send_to_partition("t", 0, &Record::value(b"v")).await.expect("accepted");
    {
        let mut close = pin!(producer.close(Duration::ZERO));
        assert!(poll_once(&mut close, Waker::noop()).is_pending());
    }
    let error = producer.send("t", &Record::value(b"v")).await.expect_err("closed");
    assert_eq!(error, SendError::Refused(klamm::SendError::Closed));
    assert_eq!(producer.close(LIMIT).await.undelivered.len(), 1);
}

#[tokio::test]
async fn tasks_share_a_producer() {
    let broker = broker(1);
    let producer = Producer::builder(&broker.address().to_string()).build().expect("legal");
    let tasks: Vec<_> = (0..100_u8)
        .map(|n| {
            let producer = producer.clone();
            tokio::spawn(async move { producer.send_and_wait("t", &Record::value(&[n])).await })
        })
        .collect();
    let mut offsets = Vec::new();
    for task in tasks {
        let delivered = task.await.expect("no panic").expect("delivered");
        offsets.push(delivered.offset.expect("acks=all"));
    }
    offsets.sort_unstable();
    assert!(offsets.into_iter().eq(0..100));
    let topic = producer.topic("t").expect("legal");
    let values: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    let records = values.iter().map(|value| Record::value(value.as_bytes()));
    assert_eq!(topic.post_all(Some(0), records).await, Ok(1_000));
    assert!(producer.flush().await);
    let log = values_of(&broker);
    assert!(log[100..].iter().eq(values.iter().map(|value| value.as_bytes())));
}

/// AK-23 to AK-31.
#[tokio::test]
async fn a_batch_of_ones_own_and_what_is_paused_or_purged() {
    let broker = broker(1);
    let producer = Producer::builder(&broker.address().to_string()).build().expect("legal");
    let topic = producer.topic("t").expect("legal");
    let mut batch = producer.create_batch();
    for n in 0..10_u8 {
        assert_eq!(batch.append(&Record::value(&[n])), Ok(u16::from(n)));
    }
    topic.send(&Record::value(b"before")).await.expect("accepted").await.expect("delivered");
    let first = topic.send_batch(Some(0), &batch).await.expect("accepted");
    let again = producer.send_batch("t", Some(0), &batch).await.expect("accepted");
    drop(topic.send_batch(Some(0), &batch).await.expect("accepted"));
    assert_eq!(first.await.expect("delivered").offset, Some(1), "that of its first record");
    assert_eq!(again.await.expect("delivered").offset, Some(11));
    assert!(producer.flush().await);
    producer.pause(true);
    let held = topic.send_batch(Some(0), &batch).await.expect("accepted");
    producer.purge(Scope::ALL.queued_only());
    assert_eq!(held.await, Err(DeliveryError::NotPersisted(Reason::Purged)));
    assert_eq!(values_of(&broker).len(), 31, "dropping cancels nothing");
}

/// PK-21.
#[tokio::test]
async fn leaving_a_scope_delivers_and_closes() {
    let broker = broker(1);
    let producer = Producer::builder(&broker.address().to_string())
        .configure(|config| config.linger_ms = 60_000)
        .build()
        .expect("legal");
    let clone = producer.clone();
    let sent = producer.scoped(LIMIT, async |p| p.post("t", &Record::value(b"1")).await);
    let (posted, closed) = sent.await;
    assert_eq!((posted, closed.undelivered.len()), (Ok(()), 0));
    assert_eq!(values_of(&broker).len(), 1);
    let error = clone.post("t", &Record::value(b"2")).await.expect_err("closed");
    assert_eq!(error, SendError::Refused(klamm::SendError::Closed));
}

/// What was sent may be in the log, what was not is not; and the next call starts a new driver.
#[test]
fn a_runtime_that_ends_takes_its_driver_along_and_the_next_one_starts_another() {
    let broker = broker(2);
    let first = runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (producer, sent, unsent) = first.block_on(async {
        let producer = Producer::builder(&broker.address().to_string())
            .configure(|config| config.linger_ms = 60_000)
            .build()
            .expect("legal");
        producer.partitions_for("t").await.expect("known");
        broker.with(|cluster, _| cluster.inject(Rule::once(Api::Produce, Fault::DropResponse)));
        let send = async |partition| {
            producer.send_to_partition("t", partition, &Record::value(b"v")).await
        };
        let sent = send(0).await.expect("accepted");
        let mut flush = pin!(producer.flush());
        assert!(poll_once(&mut flush, Waker::noop()).is_pending());
        while values_of(&broker).is_empty() {
            yield_now().await;
        }
        let unsent = send(1).await.expect("accepted");
        (producer.clone(), sent, unsent)
    });
    drop(first);
    assert_eq!(sent.outcome(), Some(Err(DeliveryError::Unknown(Reason::Purged))));
    assert_eq!(unsent.outcome(), Some(Err(DeliveryError::NotPersisted(Reason::Purged))));
    let nowhere = producer.try_send("t", &Record::value(b"v")).expect_err("there is no runtime");
    assert_eq!(nowhere, SendError::DriverFailed);

    let second = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    second.block_on(async {
        let topic = producer.topic("t").expect("known");
        let delivery = topic.send_to_partition(0, &Record::value(b"again")).await;
        assert!(producer.flush().await);
        assert_eq!(delivery.expect("accepted").await.expect("delivered").offset, Some(1));
        assert_eq!(producer.stats().accepted, 1);
        assert!(producer.close(LIMIT).await.undelivered.is_empty());
    });
    let failure = producer.last_driver_failure().expect("one was stopped");
    assert_eq!((failure.failures, failure.unreported), (1, 0), "{failure}");
}

#[test]
fn without_a_runtime_there_is_no_producer() {
    let error = Producer::builder("localhost:9092").build().expect_err("no runtime");
    assert!(error.to_string().starts_with("cannot start the driver: "), "{error}");
}

fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

fn nobody() -> SocketAddr {
    dev_broker::nobody().expect("a free port")
}

fn broker(partitions: i32) -> DevBroker {
    broker_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), partitions)
}

fn broker_at(listen: SocketAddr, partitions: i32) -> DevBroker {
    let options = Options { listen, topics: vec![("t".into(), partitions)], ..Options::default() };
    DevBroker::start(options).expect("a free loopback port")
}

/// The values in partition 0.
fn values_of(broker: &DevBroker) -> Vec<Vec<u8>> {
    let value = |record: klamm_sim::cluster::LoggedRecord| record.value.map(|v| v.to_vec());
    broker.with(|cluster, _| cluster.log("t", 0).filter_map(value).collect())
}

fn with_little_memory(address: SocketAddr) -> Builder {
    Producer::builder(&address.to_string())
        .limits(|limits| limits.buffer_memory = 256 * 1024)
        .configure(|config| config.max_request_size = 65_536)
}

/// Fills the memory; with how many records?
fn fill(producer: &Producer) -> usize {
    let value = [b'x'; 1_000];
    let mut accepted = 0;
    while producer.try_send_to_partition("t", 0, &Record::value(&value)).is_ok() {
        accepted += 1;
    }
    accepted
}
