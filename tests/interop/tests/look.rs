//! `klamm perf`, `klamm metadata` and `klamm explain` against Kafka of three nodes.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::run_dir::RunDir;
use klamm_interop::{klamm, setup, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;

/// What `klamm` says with `--json`.
fn json(arguments: &[&str]) -> Value {
    let command = klamm::command(&[arguments, &["--json"]].concat()).unwrap();
    let said = klamm::run(command, None).unwrap().expect_success().unwrap();
    serde_json::from_str(&said.stdout).unwrap()
}

#[test]
fn what_is_said_is_what_kafka_says() {
    let run = RunDir::new("look").unwrap();
    let options = Options { nodes: 3, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), &run, &options).unwrap();
    kafka.create_topic("looked-at", 4, &[]).unwrap();
    let bootstrap = kafka.bootstrap();
    kafka.helper.wait_in_sync(&bootstrap, "looked-at", 3).unwrap();

    // Every broker hears of it by itself.
    let mut cluster = Value::Null;
    wait_until("whichever broker is asked to know the topic", || {
        cluster = json(&["metadata", "-b", &bootstrap]);
        let topics = cluster["topics"].as_array().into_iter().flatten();
        let mut partitions = topics
            .filter(|topic| topic["name"] == "looked-at")
            .flat_map(|topic| topic["partitions"].as_array().into_iter().flatten())
            .map(|partition| partition["in_sync"].as_array().map_or(0, Vec::len))
            .peekable();
        Ok(partitions.peek().is_some() && partitions.all(|in_sync| in_sync == 3))
    })
    .unwrap();
    let brokers = cluster["brokers"].as_array().unwrap();
    assert_eq!(brokers.len(), 3);
    for (id, broker) in (1..).zip(brokers) {
        assert_eq!(broker["id"], id);
        let address = format!("{}:{}", broker["host"].as_str().unwrap(), broker["port"]);
        assert_eq!(address, kafka.node(id).unwrap().address());
    }
    let topics = cluster["topics"].as_array().unwrap();
    let topic = topics.iter().find(|topic| topic["name"] == "looked-at").unwrap();
    for (index, partition) in (0..).zip(topic["partitions"].as_array().unwrap()) {
        let leader = kafka.helper.leader(&bootstrap, "looked-at", index).unwrap();
        assert_eq!(partition["leader"], leader);
        for replicas in ["replicas", "in_sync"] {
            let ids = partition[replicas].as_array().unwrap().iter().map(Value::as_u64);
            assert_eq!(ids.collect::<BTreeSet<_>>(), [Some(1), Some(2), Some(3)].into());
        }
    }

    let keys = ["sensor-7", "a", "", "foobar", "0123456789"];
    let java = keys.map(|key| key.as_bytes().to_vec());
    let java = kafka.helper.partitions(&java, 4).unwrap();
    for (key, partition) in keys.iter().zip(java) {
        let said = json(&["explain", "-b", &bootstrap, "-t", "looked-at", "-k", key]);
        assert_eq!(said["partition"], partition, "{key}");
        let leader = kafka.helper.leader(&bootstrap, "looked-at", partition).unwrap();
        assert_eq!(said["leader"]["id"], leader);
        assert_eq!(said["held_back"].as_array().map(Vec::len), Some(0), "{said}");
    }

    let load = ["-n", "50000", "--warmup", "1000", "--keys", "40", "-z", "gzip"];
    let result = json(&[&["perf", "-b", &bootstrap, "-t", "looked-at"][..], &load].concat());
    assert_eq!(result["records_acknowledged"], 50_000);
    assert_eq!(result["latency_us"]["records"], 50_000);
    let log = kafka.helper.read(&bootstrap, "looked-at").unwrap();
    assert_eq!(log.len(), 51_000);
    let keys: BTreeSet<_> = log.iter().map(|record| &record.key).collect();
    assert_eq!(keys.len(), 40);

    let former = kafka.helper.leader(&bootstrap, "looked-at", 0).unwrap();
    kafka.node(former).unwrap().kill().unwrap();
    let new = kafka.helper.wait_for_other_leader(&bootstrap, "looked-at", 0, former).unwrap();
    wait_until("whichever broker is asked to know of the new leader", || {
        let said = json(&["explain", "-b", &bootstrap, "-t", "looked-at", "-p", "0"]);
        let in_sync = said["in_sync"].as_array().map(Vec::len);
        Ok(said["leader"]["id"] == new && in_sync == Some(2))
    })
    .unwrap();

    let arguments = ["metadata", "-b", &bootstrap, "-t", "no-such-topic"];
    let line = klamm::run_to_failure(klamm::command(&arguments).unwrap()).unwrap();
    assert!(line.contains("no-such-topic"), "{line}");
    run.done();
}
