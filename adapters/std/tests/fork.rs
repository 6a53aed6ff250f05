//! Programs that fork: the child starts afresh, the parent's records stay the parent's.
//!
//! A child does not return: it leaves by `exit`, so that it touches nothing that is not its own.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{Read, pipe};
use std::net::TcpListener;
use std::panic::catch_unwind;
use std::process::exit;
use std::thread;

use fork::{Fork, waitpid};
use klamm_sim::cluster::LoggedRecord;
use klamm_sim::dev_broker::{DevBroker, Options};
use klamm_std::{DeliveryError, Producer, Record, SendError};

const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    let tests: [(&str, fn()); 6] = [
        ("a_child_starts_afresh", a_child_starts_afresh),
        ("a_child_that_does_nothing_ends", a_child_that_does_nothing_ends),
        ("closed_is_closed_in_the_child_too", closed_is_closed_in_the_child_too),
        ("a_child_has_children", a_child_has_children),
        ("a_child_of_a_busy_parent", a_child_of_a_busy_parent),
        ("a_connection_ends_with_the_parents_socket", a_connection_ends_with_the_parents_socket),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
}

fn a_child_starts_afresh() {
    let broker = broker(1);
    let producer = builder(&broker).configure(|config| config.linger_ms = 60_000);
    let producer = producer.build().expect("legal");
    let topic = producer.topic("t").expect("legal");
    let first = topic.send_to_partition(0, &Record::value(b"first")).expect("accepted");
    assert!(producer.flush(None), "it has a connection and a producer id");
    let send = |n: u8| topic.send_to_partition(0, &Record::value(&[n])).expect("accepted");
    let buffered: Vec<_> = (0..10).map(send).collect();
    let child = child(|| {
        assert!(matches!(first.outcome(), Some(Ok(_))), "it was known before");
        assert_eq!(buffered[0].outcome(), Some(Err(DeliveryError::OtherProcess)));
        assert_eq!(buffered[9].wait(), Err(DeliveryError::OtherProcess));
        let mine: Vec<_> = (100..105).map(send).collect();
        assert_eq!(producer.stats().buffered, 5, "none of the parent's");
        assert!(producer.flush(Some(LIMIT)));
        assert!(mine.iter().all(|delivery| delivery.wait().is_ok()));
        assert_eq!(producer.stats().accepted, 5);
        assert!(producer.close(LIMIT).undelivered.is_empty());
    });
    wait(child);
    assert_eq!(log(&broker).len(), 1 + 5, "the child has sent nothing of the parent's");
    assert_eq!(producer.stats().buffered, 10);
    assert!(producer.flush(Some(LIMIT)));
    assert!(buffered.iter().all(|delivery| delivery.wait().is_ok()));
    let log = log(&broker);
    let values: Vec<_> = log.iter().skip(1).map(|record| value(record)[0]).collect();
    assert_eq!(values, [100, 101, 102, 103, 104, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let ids: Vec<_> = log.iter().map(|record| (record.producer_id, record.sequence)).collect();
    assert_ne!(ids[0].0, ids[1].0, "a producer id of its own");
    assert_eq!(ids[1].1, 0, "and sequence numbers of its own");
    assert_eq!(ids[6], (ids[0].0, 1), "the parent's went on");
    assert!(producer.close(LIMIT).undelivered.is_empty());
}

fn a_child_that_does_nothing_ends() {
    let broker = broker(1);
    let producer = builder(&broker).build().expect("legal");
    let delivery = producer.send_to_partition("t", 0, &Record::value(b"v")).expect("accepted");
    let mut producer = Some(producer);
    wait(child(|| drop(producer.take())));
    wait(child(|| {
        // `close` has nothing to wait for, and then it is closed.
        let producer = producer.take().expect("the copy");
        assert!(producer.close(LIMIT).undelivered.is_empty());
        let error = producer.send("t", &Record::value(b"v")).expect_err("closed");
        assert_eq!(error, SendError::Refused(klamm::SendError::Closed));
    }));
    assert!(delivery.wait().is_ok());
    drop(producer);
    assert_eq!(log(&broker).len(), 1);
}

fn closed_is_closed_in_the_child_too() {
    let broker = broker(1);
    let producer = builder(&broker).build().expect("legal");
    producer.send_and_wait("t", &Record::value(b"v")).expect("delivered");
    assert!(producer.close(LIMIT).undelivered.is_empty());
    wait(child(|| {
        let error = producer.send("t", &Record::value(b"v")).expect_err("closed");
        assert_eq!(error, SendError::Refused(klamm::SendError::Closed));
        assert!(!producer.flush(None));
        assert_eq!(producer.stats().accepted, 0);
    }));
}

fn a_child_has_children() {
    let broker = broker(1);
    let producer = builder(&broker).build().expect("legal");
    let send = |name: &str| producer.send_and_wait("t", &Record::value(name.as_bytes()));
    send("parent").expect("delivered");
    wait(child(|| {
        send("child").expect("delivered");
        wait(child(|| {
            send("grandchild").expect("delivered");
        }));
        send("child").expect("delivered");
    }));
    send("parent").expect("delivered");
    let log = log(&broker);
    let values: Vec<_> = log.iter().map(value).collect();
    assert_eq!(values, [&b"parent"[..], b"child", b"grandchild", b"child", b"parent"]);
    let ids: Vec<_> = log.iter().map(|record| record.producer_id).collect();
    assert_eq!((ids[0], ids[1]), (ids[4], ids[3]));
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

/// Wherever the other threads are at the moment of the fork: whatever they held, the child does not
/// wait for it.
fn a_child_of_a_busy_parent() {
    const CHILDREN: u8 = 40;
    let broker = broker(1);
    // Little memory: some of the threads wait for it.
    let producer = builder(&broker)
        .limits(|limits| limits.buffer_memory = 128 * 1024)
        .configure(|config| config.max_request_size = 32 * 1024)
        .on_report(|_| {})
        .build()
        .expect("legal");
    let done = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let threads: Vec<_> = (200..204_u8)
            .map(|name| {
                let (producer, done) = (&producer, &done);
                scope.spawn(move || {
                    let mut sent = 0_u64;
                    while !done.load(Ordering::Relaxed) {
                        let number = sent.to_le_bytes();
                        let record = Record::value(&number).with_key(core::slice::from_ref(&name));
                        let delivery = producer.send("t", &record).expect("accepted");
                        if sent.is_multiple_of(1_000) {
                            assert!(producer.flush(None));
                            delivery.wait().expect("delivered");
                        }
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        for name in 0..CHILDREN {
            wait(child(|| {
                for n in 0..3_u64 {
                    let number = n.to_le_bytes();
                    let record = Record::value(&number).with_key(core::slice::from_ref(&name));
                    producer.send_and_wait("t", &record).expect("delivered");
                }
                assert_eq!(producer.stats().delivered, 3);
                if name.is_multiple_of(2) {
                    assert!(producer.close(LIMIT).undelivered.is_empty());
                }
            }));
        }
        done.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert!(producer.close(LIMIT).undelivered.is_empty());
    let mut next = BTreeMap::<u8, u64>::new();
    for record in log(&broker) {
        let key = record.key.as_ref().map(|key| key[0]).expect("a key");
        let expected = next.entry(key).or_default();
        assert_eq!(value(&record), expected.to_le_bytes(), "of {key}");
        *expected += 1;
    }
    let children: Vec<_> = (0..CHILDREN).map(|name| next[&name]).collect();
    assert_eq!(children, [3; CHILDREN as usize]);
    let parents: Vec<_> = (200..204).map(|name| next[&name]).collect();
    assert_eq!(parents, sent);
}

/// A child that lives on has a copy of the parent's sockets; the peer hears of the end all the same.
fn a_connection_ends_with_the_parents_socket() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let producer = Producer::builder(&address)
        .configure(|config| config.request_timeout_ms = 1_000)
        .build()
        .expect("legal");
    producer.send_to_partition("t", 0, &Record::value(b"v")).expect("accepted");
    let (mut peer, _) = listener.accept().expect("a connection");
    let mut request = [0; 1_024];
    assert!(peer.read(&mut request).expect("a request") > 0);
    let (mut reader, writer) = pipe().expect("a pipe");
    let mut ends = Some((writer, peer.try_clone().expect("a copy")));
    let staying = child(|| {
        ends = None;
        // Until the parent lets go.
        assert_eq!(reader.read(&mut [0]).expect("a pipe"), 0);
    });
    // It gives up waiting for an answer.
    peer.set_read_timeout(Some(LIMIT)).expect("a limit");
    while peer.read(&mut request).expect("the end of the connection") > 0 {}
    drop(ends);
    wait(staying);
    assert_eq!(producer.close(Duration::ZERO).undelivered.len(), 1);
}

/// Runs `act` in a child process, whose number it gives.
fn child(act: impl FnOnce()) -> i32 {
    match fork::fork().expect("a process") {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            // A deadlock fails the test.
            thread::spawn(|| {
                thread::sleep(LIMIT);
                eprintln!("the child is stuck");
                exit(99);
            });
            let end = catch_unwind(AssertUnwindSafe(act));
            exit(if end.is_ok() { 0 } else { 101 });
        }
    }
}

/// Waits for a child, and for nothing else to have gone wrong in it.
fn wait(pid: i32) {
    assert_eq!(waitpid(pid).expect("it is ours"), 0, "the child has failed");
}

fn broker(partitions: i32) -> DevBroker {
    let options = Options {
        listen: ([127, 0, 0, 1], 0).into(),
        topics: vec![("t".into(), partitions)],
        ..Options::default()
    };
    DevBroker::start(options).expect("a free loopback port")
}

fn builder(broker: &DevBroker) -> klamm_std::Builder {
    Producer::builder(&broker.address().to_string())
}

fn log(broker: &DevBroker) -> Vec<LoggedRecord> {
    broker.with(|cluster, _| cluster.log("t", 0).collect())
}

fn value(record: &LoggedRecord) -> &[u8] {
    record.value.as_deref().unwrap_or_default()
}
