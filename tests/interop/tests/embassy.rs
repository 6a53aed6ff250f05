//! The embassy adapter over two embassy-net stacks and a bad cable, the far one relaying to Apache
//! Kafka, which is killed in the middle.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;

use embassy_futures::join::join_array;
use embassy_time::{Duration, Timer};
use klamm_embassy::{Config, Destination, Header, Record};
use klamm_embassy_tests::{Cable, Weather, producer, relay::relay, run, stack};
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup;

const TOPIC: &str = "embassy";
const RECORDS: u32 = 1_500;

#[test]
fn a_device_on_a_bad_network_and_a_broker_that_is_killed() {
    let directory = RunDir::new(TOPIC).unwrap();
    let options = Options { nodes: 1, for_guests: true, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), &directory, &options).unwrap();
    kafka.create_topic(TOPIC, 3, &[]).unwrap();
    let port = kafka.node(1).unwrap().proxied_port();
    let servers = kafka.node(1).unwrap().guest_address();
    run(async {
        let cable = Cable::new(3);
        cable.set(Weather {
            lost: 10,
            twice: 10,
            delay: Duration::from_millis(1),
            jitter: Duration::from_millis(2),
            cut: false,
        });
        relay(stack::host(&cable), port, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let mut config = Config::new(&servers);
        config.linger_ms = 10;
        config.request_timeout_ms = 10_000;
        config.delivery_timeout_ms = u32::MAX;
        let producer = producer(&cable, &config);
        let topic = producer.topic(TOPIC).unwrap();
        let tasks = ["a", "b", "c"].map(|key| async move {
            for n in 0..RECORDS {
                let value = [&n.to_be_bytes()[..], &[b'x'; 40]].concat();
                let headers = [Header::new("unit", b"celsius")];
                let record = Record::value(&value).with_key(key.as_bytes()).with_headers(&headers);
                producer.send(Destination::topic(topic), &record).await.unwrap();
                Timer::after_millis(4).await;
            }
        });
        let killed = async {
            while producer.stats().delivered < u64::from(RECORDS) {
                Timer::after_millis(5).await;
            }
            kafka.node(1).unwrap().kill().unwrap();
            Timer::after_secs(1).await;
            kafka.node(1).unwrap().start().unwrap();
        };
        embassy_futures::join::join(join_array(tasks), killed).await;
        producer.flush().await;
        assert_eq!(producer.stats().delivered, u64::from(3 * RECORDS));
    });
    kafka.wait_until_alive().unwrap();
    let bootstrap = kafka.bootstrap();
    let mut found = BTreeMap::<_, Vec<u32>>::new();
    for record in kafka.helper.read(&bootstrap, TOPIC).unwrap() {
        let value = record.value.unwrap();
        let number = u32::from_be_bytes(value[..4].try_into().unwrap());
        assert_eq!(record.headers, [(b"unit".to_vec(), Some(b"celsius".to_vec()))]);
        found.entry(record.key.unwrap()).or_default().push(number);
    }
    assert_eq!(found.len(), 3);
    for (key, numbers) in found {
        assert!(numbers.into_iter().eq(0..RECORDS), "key {key:?}");
    }
    directory.done();
}
