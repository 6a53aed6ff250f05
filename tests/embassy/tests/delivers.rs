//! Records get through, once and in order, however bad the network.

use std::collections::BTreeMap;

use embassy_futures::join::{join, join_array};
use embassy_time::{Duration, Instant, Timer};
use klamm_embassy::{Config, Destination, Record};
use klamm_embassy_tests::{Brokers, Cable, SERVERS, Weather, producer, simulate, stack};

/// The values of all partitions by key, in the order of the log.
fn by_key(brokers: &Brokers, partitions: i32) -> BTreeMap<Vec<u8>, Vec<u32>> {
    let mut found = BTreeMap::<_, Vec<u32>>::new();
    for record in (0..partitions).flat_map(|partition| brokers.log(partition)) {
        let (key, value) = (record.key.expect("a key"), record.value.expect("a value"));
        let number = u32::from_be_bytes(value[..4].try_into().expect("four bytes"));
        found.entry(key.to_vec()).or_default().push(number);
    }
    found
}

#[test]
fn a_delivery_tells_where_its_record_is() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 3);
        let producer = producer(&cable, &Config::new(SERVERS));
        let topic = producer.topic("t").expect("legal");
        for n in 0..20_u8 {
            let value = [n];
            let record = Record::value(&value).with_key(b"k");
            let result = producer.send_and_wait(Destination::topic(topic), &record).await;
            let delivered = result.expect("delivered");
            assert_eq!(delivered.offset, Some(i64::from(n)));
            let values = brokers.values(delivered.partition.index);
            assert_eq!(values.last(), Some(&vec![n]));
        }
        let stats = producer.stats();
        assert_eq!((stats.accepted, stats.delivered, stats.buffered), (20, 20, 0));
    });
}

/// Four tasks, leaders that move, nodes that restart, frames that are lost, doubled and overtaken.
#[test]
fn a_rough_network_costs_no_record_and_doubles_none() {
    const RECORDS: u32 = 300;
    for seed in 0..12 {
        println!("seed {seed}");
        simulate(async {
            let cable = Cable::new(seed);
            cable.set(Weather {
                lost: 30,
                twice: 30,
                delay: Duration::from_millis(5),
                jitter: Duration::from_millis(10),
                cut: false,
            });
            let brokers = Brokers::new(stack::host(&cable), 3, 4);
            let mut config = Config::new(SERVERS);
            config.linger_ms = 20;
            config.request_timeout_ms = 5_000;
            config.delivery_timeout_ms = u32::MAX;
            let producer = producer(&cable, &config);
            let topic = producer.topic("t").expect("legal");
            let restarts = async {
                for node in [1, 2, 3, 1] {
                    Timer::after_millis(1_500).await;
                    brokers.with(|cluster, now| cluster.restart(node, now)).expect("it was up");
                }
            };
            let tasks = ["a", "b", "c", "d"].map(|key| async move {
                for n in 0..RECORDS {
                    let value = [&n.to_be_bytes()[..], &[b'x'; 60]].concat();
                    let record = Record::value(&value).with_key(key.as_bytes());
                    producer.send(Destination::topic(topic), &record).await.expect("accepted");
                    Timer::after_millis(20).await;
                }
            });
            join(join_array(tasks), restarts).await;
            producer.flush().await;
            let found = by_key(&brokers, 4);
            assert_eq!(found.len(), 4);
            for (key, numbers) in found {
                assert!(numbers.into_iter().eq(0..RECORDS), "seed {seed}, key {key:?}");
            }
            let stats = producer.stats();
            assert_eq!(stats.delivered, u64::from(4 * RECORDS), "seed {seed}");
        });
    }
}

/// Twenty seconds without a network, as somebody who moves the cable to another socket.
#[test]
fn a_cut_cable_only_delays() {
    simulate(async {
        let cable = Cable::new(2);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let producer = producer(&cable, &Config::new(SERVERS));
        let topic = producer.topic("t").expect("legal");
        let weather = async {
            Timer::after_secs(20).await;
            cable.cut(true);
            Timer::after_secs(20).await;
            cable.cut(false);
        };
        // The buffer is full by then: who sends has to wait.
        let sender = async {
            for n in 0..600_u32 {
                let value = [&n.to_be_bytes()[..], &[b'x'; 100]].concat();
                let record = Record::value(&value).with_key(b"k");
                producer.send(Destination::topic(topic), &record).await.expect("accepted");
                Timer::after_millis(100).await;
            }
        };
        join(weather, sender).await;
        producer.flush().await;
        assert!(Instant::now() > Instant::from_secs(65), "it was full");
        assert_eq!(by_key(&brokers, 1)[&b"k"[..]], (0..600).collect::<Vec<_>>());
    });
}
