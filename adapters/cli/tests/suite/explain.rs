//! `klamm explain`: what it says is what happens.

use core::net::{Ipv4Addr, SocketAddr};

use klamm_sim::dev_broker::{DevBroker, Options};
use serde_json::{Value, json};

use crate::metadata::three_brokers;
use crate::produce::broker;
use crate::{klamm, text};

fn explain(address: &str, more: &[&str]) -> String {
    let args = [&["explain", "-b", address][..], more].concat();
    let output = klamm(&args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    text(&output.stdout)
}

fn answer(address: &str, more: &[&str]) -> Value {
    let json = explain(address, &[more, &["--json"]].concat());
    serde_json::from_str(&json).expect("JSON")
}

#[test]
fn a_record_goes_where_it_is_said_to_go() {
    for partitioner in ["java", "consistent_random", "fnv1a"] {
        let (broker, address) = broker();
        let chosen = format!("partitioner={partitioner}");
        for key in ["sensor-7", "sensor-8", "a", "b", "c"] {
            let said = answer(&address, &["-t", "t", "-k", key, "-X", &chosen]);
            let partition = said["partition"].as_i64().expect("a number");
            let partition = i32::try_from(partition).expect("small");
            let before = broker.with(|cluster, _| cluster.log("t", partition).count());
            let args = ["produce", "-b", &address, "-t", "t", "-k", key, "-X", &chosen];
            klamm(&args).write_stdin("x").assert().code(0);
            let after = broker.with(|cluster, _| cluster.log("t", partition).count());
            assert_eq!(after, before + 1, "{partitioner}, {key}");
        }
    }
}

#[test]
fn json_tells_why() {
    let (broker, address) = three_brokers();
    let leader = broker.with(|cluster, now| {
        cluster.shrink_isr("two", 1, 2, now).expect("a follower");
        cluster.leader("two", 1).expect("a leader")
    });
    // murmur2 of "21" is 0xc5f2f8ec, by kafka-clients 4.3.0: even, so partition 0 of 2.
    let said = answer(&address, &["-t", "two", "-k", "21"]);
    assert_eq!(said["topic"], "two");
    assert_eq!(said["key"], "21");
    assert_eq!(said["partitions"], 2);
    assert_eq!(said["partition"], 0);
    assert_eq!(said["partitioner"], "java");
    assert_eq!(said["hash"], json!({"function": "murmur2", "value": 0xc5f2_f8ec_u32}));
    assert_eq!(said["why"], "murmur2 of the key is 0xc5f2f8ec; its low 31 bits modulo 2");
    assert_eq!(said["held_back"], json!([]));
    let said = answer(&address, &["-t", "two", "-p", "1", "-k", "21"]);
    assert_eq!(said["partition"], 1);
    assert_eq!(said["why"], "named by -p");
    assert_eq!(said["hash"], Value::Null);
    assert_eq!(said["leader"]["id"], leader);
    let at = usize::try_from(leader).expect("not negative");
    assert_eq!(said["leader"]["port"], broker.addresses()[at].port());
    assert_eq!(said["replicas"].as_array().map(Vec::len), Some(3));
    assert_eq!(said["in_sync"].as_array().map(Vec::len), Some(2));
    let said = answer(&address, &["-t", "two"]);
    assert_eq!(said["partition"], Value::Null);
    assert!(said["why"].as_str().is_some_and(|why| why.contains("stick")), "{said}");
}

#[test]
fn what_holds_a_record_back_is_named() {
    let (broker, address) = three_brokers();
    broker.with(|cluster, now| cluster.depose("two", 1, now).expect("it has a leader"));
    let said = explain(&address, &["-t", "two", "-p", "1"]);
    let held = said.lines().find(|line| line.starts_with("held back by")).expect("a line");
    assert!(held.contains("partition 1 has no leader"), "{said}");
    assert!(!said.contains("\nleader"), "{said}");
    let said = explain(&address, &["-t", "two", "-p", "0"]);
    assert!(said.contains("\nheld back by  nothing"), "{said}");
    assert!(said.contains("\nleader        broker "), "{said}");
    assert!(said.contains("\nin sync       3 of 3 replicas"), "{said}");
    broker.with(|cluster, now| cluster.depose("two", 0, now).expect("it has a leader"));
    let said = explain(&address, &["-t", "two"]);
    assert!(said.contains("held back by  2 partitions have no leader: 0, 1 ("), "{said}");
}

#[test]
fn a_leader_that_advertises_where_it_is_not_is_named() {
    let options = Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        advertised_host: Some("127.0.0.2".into()),
        topics: vec![("t".into(), 1)],
        ..Options::default()
    };
    let broker = DevBroker::start(options).expect("a free port");
    let said = explain(&broker.address().to_string(), &["-t", "t", "-k", "k"]);
    let port = broker.address().port();
    let line = format!("held back by  broker 0 at 127.0.0.2:{port} cannot be reached: ");
    assert!(said.contains(&line), "{said}");
}

#[test]
fn what_cannot_be_explained_is_one_line() {
    let (_broker, address) = broker();
    let failure = |args: &[&str], code: i32| {
        let output = klamm(&[&["explain", "-b", &address][..], args].concat()).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(output.stdout.is_empty());
        let line = text(&output.stderr);
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    };
    let line = failure(&["-t", "t", "-p", "3"], 1);
    assert_eq!(line, "klamm: topic t has no partition 3: it has 3 partitions, 0 to 2\n");
    assert!(failure(&["-t", "nope"], 1).starts_with("klamm: topic nope: "));
    assert!(failure(&["-k", "k"], 2).contains("--topic"));
    assert!(failure(&["-t", "t", "-X", "partitioner=md5"], 2).contains("partitioner=md5"));
}

#[test]
fn without_a_broker_there_is_one_of_our_own() {
    let output = klamm(&["explain", "-t", "t", "-k", "k"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains(" of 0 to 5\n"), "{output:?}");
}
