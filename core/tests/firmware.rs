//! What only a core without `relaxed` and `api-versions` does: `cargo test -p klamm --no-default-features`.
#![cfg(not(any(feature = "api-versions", feature = "relaxed")))]

use core::convert::Infallible;

use klamm::{
    Acks, Config, ConfigError, Demand, Idempotence, Instant, Producer, Resources, Storage,
};

/// Kafka's numbers of what a producer asks first.
const METADATA: [u8; 2] = [0, 3];
const INIT_PRODUCER_ID: [u8; 2] = [0, 22];

fn start<'a>(config: &Config<'_>, storage: Storage<'a>) -> Result<Producer<'a>, ConfigError> {
    Producer::new(config, storage, 1, Instant::ZERO)
}

#[test]
fn who_wants_no_idempotence_is_told_what_has_it() {
    let mut leader = Config::new("localhost:9092");
    leader.acks = Acks::Leader;
    let mut off = Config::new("localhost:9092");
    off.enable_idempotence = Idempotence::Off;
    for config in [leader, off] {
        let mut resources = Resources::<400, 4, 2, 1>::new();
        let error = start(&config, resources.storage()).err();
        let error = error.expect("refused").to_string();
        assert!(error.contains("`relaxed`"), "{error}");
    }
}

#[test]
fn a_connection_begins_with_work() {
    let mut resources = Resources::<400, 4, 2, 1>::new();
    let config = Config::new("localhost:9092");
    let mut producer = start(&config, resources.storage()).expect("legal options");
    producer.topic("readings").expect("legal");
    let now = Instant::ZERO;
    producer.handle_timeout(now);
    let conn = producer.connections().next().expect("one");
    assert_eq!(producer.demand(conn), Demand::Connect);
    producer.handle_dialing(conn, now);
    producer.handle_connected(conn, now);
    producer.handle_timeout(now);
    let mut asked = Vec::new();
    while producer.demand(conn) == Demand::Transmit {
        let write = |transmit: &klamm::Transmit<'_>| {
            let bytes: Vec<u8> = transmit.slices().flatten().copied().collect();
            asked.push([bytes[4], bytes[5]]);
            Ok::<_, Infallible>(bytes.len())
        };
        producer.transmit_with(conn, now, write).expect("infallible");
    }
    asked.sort_unstable();
    assert_eq!(asked, [METADATA, INIT_PRODUCER_ID]);
}

/// Memory of a producer that is gone serves the next one, which finds nothing of it.
#[test]
fn resources_are_empty_again() {
    let mut resources = Resources::<400, 4, 2, 1>::new();
    let config = Config::new("localhost:9092");
    for _ in 0..2 {
        let mut producer = start(&config, resources.storage()).expect("legal options");
        for name in ["a", "b"] {
            let topic = producer.topic(name).expect("a slot for each of two");
            assert_eq!(producer.partition_count(topic), None);
        }
        let conn = producer.connections().next().expect("one");
        assert_eq!(producer.demand(conn), Demand::Nothing);
        producer.handle_timeout(Instant::ZERO);
        assert_eq!(producer.demand(conn), Demand::Connect);
    }
}
