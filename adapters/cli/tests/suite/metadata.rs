//! `klamm metadata`, against the model cluster.

use core::net::{Ipv4Addr, SocketAddr};
use std::io::Write;
use std::net::TcpListener;
use std::thread;

use klamm_sim::dev_broker::{self, DevBroker, Options};
use serde_json::{Value, json};

use crate::{klamm, text};

/// Three brokers, and the topics `one` with a partition and `two` with two.
pub(crate) fn three_brokers() -> (DevBroker, String) {
    let options = Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        nodes: 3,
        topics: vec![("two".into(), 2), ("one".into(), 1)],
        auto_create_partitions: Some(1),
        ..Options::default()
    };
    let broker = DevBroker::start(options).expect("a free port");
    let address = broker.address().to_string();
    (broker, address)
}

fn output(args: &[&str]) -> String {
    let output = klamm(args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    text(&output.stdout)
}

fn failure(args: &[&str], code: i32) -> String {
    let output = klamm(args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty());
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

/// The cells of the row that begins with this one.
fn row(table: &str, first: &str) -> Vec<String> {
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut found = rows.filter(|cells| cells.first() == Some(&first));
    let row = found.next().unwrap_or_else(|| panic!("{first}: {table}"));
    row.into_iter().map(str::to_owned).collect()
}

#[test]
fn json_tells_what_the_cluster_is_like() {
    let (broker, address) = three_brokers();
    broker.with(|cluster, now| {
        cluster.shrink_isr("two", 1, 2, now).expect("a follower");
        cluster.depose("two", 0, now).expect("it has a leader");
    });
    let cluster: Value =
        serde_json::from_str(&output(&["metadata", "-b", &address, "--json"])).expect("JSON");
    let ports: Vec<_> = broker.addresses().iter().map(SocketAddr::port).collect();
    let brokers: Vec<_> = (0..3)
        .map(|id| json!({"id": id, "host": "127.0.0.1", "port": ports[id], "rack": null}))
        .collect();
    assert_eq!(cluster["brokers"], Value::Array(brokers));
    assert_eq!(cluster["cluster"], "klamm-model-cluster");
    assert_eq!(cluster["controller"], 0);
    let topics = cluster["topics"].as_array().expect("a list");
    assert_eq!(topics.iter().map(|topic| &topic["name"]).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(topics[1]["internal"], false);
    assert_eq!(topics[1]["error"], Value::Null);
    let (leader, isr, replicas) = broker.with(|cluster, _| {
        (cluster.leader("two", 1), cluster.isr("two", 1), cluster.replicas("two", 1))
    });
    assert_eq!((isr.len(), replicas.len()), (2, 3));
    let partitions = topics[1]["partitions"].as_array().expect("a list");
    assert_eq!(partitions.len(), 2);
    assert_eq!(partitions[1]["partition"], 1);
    assert_eq!(partitions[1]["leader"], json!(leader));
    assert_eq!(partitions[1]["in_sync"], json!(isr));
    assert_eq!(partitions[1]["replicas"], json!(replicas));
    assert_eq!(partitions[1]["offline"], json!([]));
    assert_eq!(partitions[1]["error"], Value::Null);
    assert_eq!(partitions[0]["leader"], Value::Null);
    assert!(partitions[0]["error"].as_str().is_some_and(|error| error.contains("leader")));
}

#[test]
fn tables_for_people() {
    let (broker, address) = three_brokers();
    broker.with(|cluster, now| cluster.depose("two", 0, now).expect("it has a leader"));
    let all = output(&["metadata", "-b", &address]);
    assert_eq!(row(&all, "1"), ["1", &broker.addresses()[1].to_string()]);
    assert_eq!(row(&all, "topic")[..2], ["topic", "partitions"]);
    assert_eq!(row(&all, "one"), ["one", "1", "3"]);
    assert_eq!(row(&all, "two"), ["two", "2", "3", "1"], "one without a leader");
    let two = output(&["metadata", "-b", &address, "-t", "two"]);
    assert!(two.contains("\ntopic two, 2 partitions\n"), "{two}");
    assert!(!two.contains("one,"), "{two}");
    assert_eq!(row(&two, "0")[..2], ["0", &address], "the broker");
    let line = two.lines().rfind(|line| line.trim_start().starts_with("0 "));
    assert!(line.is_some_and(|line| line.contains("none") && line.contains("0,1,2")), "{two}");
}

#[test]
fn a_topic_that_is_not_there_is_no_success_and_is_not_created() {
    let (broker, address) = three_brokers();
    let line = failure(&["metadata", "-b", &address, "-t", "three"], 1);
    assert!(line.starts_with("klamm: topic three: "), "{line}");
    assert!(line.contains("unknown topic"), "{line}");
    assert_eq!(broker.with(|cluster, _| cluster.topics().count()), 2);
    let line = failure(&["metadata", "-b", &address, "-t", "no/topic"], 1);
    assert!(line.starts_with("klamm: topic no/topic: "), "{line}");
}

#[test]
fn the_next_broker_is_asked_when_one_does_not_answer() {
    let (_broker, address) = three_brokers();
    let nobody = dev_broker::nobody().expect("a free port").to_string();
    let list = format!("{nobody},{address}");
    assert!(output(&["metadata", "-b", &list]).contains("klamm-model-cluster"));
    let line = failure(&["metadata", "-b", &nobody], 1);
    assert_eq!(line, format!("klamm: no broker answered: {nobody}: Connection refused\n"));
}

#[test]
fn without_a_broker_there_is_one_of_our_own() {
    let all = output(&["metadata", "-t", "mine"]);
    assert!(all.contains("topic mine, 6 partitions"), "{all}");
}

#[test]
fn who_is_no_broker_is_named() {
    for (answer, says) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "not a Kafka broker"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "not a Kafka broker"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x01", "cannot be read"),
        (b"\x00\x00\x00\x09\x6b\x6c\x61\x6d", "closed the connection"),
        (b"", "closed the connection"),
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let answering = thread::spawn(move || {
            let (mut peer, _) = listener.accept().expect("it connects");
            let mut request = [0; 4];
            std::io::Read::read_exact(&mut peer, &mut request).expect("a request");
            let rest = u32::from_be_bytes(request) as usize;
            std::io::Read::read_exact(&mut peer, &mut vec![0; rest]).expect("a request");
            peer.write_all(answer).expect("it listens");
        });
        let line = failure(&["metadata", "-b", &address], 1);
        assert!(line.contains(&address) && line.contains(says), "{line}");
        answering.join().expect("no panic");
    }
}

#[test]
fn servers_are_checked_first() {
    for servers in ["nonsense", "host:", ":1", "host:0", "host:70000", ","] {
        let line = failure(&["metadata", "-b", servers], 2);
        assert_eq!(line, format!("klamm: -b {servers}: expected host:port, separated by commas\n"));
    }
}
