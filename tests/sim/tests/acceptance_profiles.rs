//! The profiles of other producers: every default, and that each works. The id of an acceptance row
//! is in the name of its test.

use klamm::{Acks, Idempotence, Overflow, Policies, Profile};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Sample, Scenario};

use super::acceptance::flush;

const KEY: &[u8] = b"sensor-7";

/// A run with the profile's options in the memory of a test; topic "t" has 8 partitions.
fn start(profile: &Profile) -> Scenario {
    let mut setup = Scenario::setup(2, 8);
    setup.config = profile.config;
    setup.limits.batch_size = profile.config.batch_size;
    setup.limits.max_request_size = profile.config.max_request_size;
    setup.limits.buffer_memory = 20 * profile.limits.batch_size;
    let mut s = Scenario::new(setup);
    let number = s.ledger.next();
    // It asks for the topic.
    let _ = s.send(TOPIC, None, Sample::plain(number, 8)).expect("no promise is broken");
    s.run(100);
    s
}

/// Sends so many records with one key; returns how many were accepted.
fn keyed(s: &mut Scenario, records: u64) -> u64 {
    let before = s.ledger.next();
    for _ in 0..records {
        let mut sample = Sample::plain(s.ledger.next(), 8);
        sample.key = Some(KEY.to_vec());
        let _ = s.send(TOPIC, None, sample).expect("no promise is broken");
    }
    s.ledger.next() - before
}

fn requests_of(s: &Scenario) -> usize {
    s.observer.exchanges.len()
}

/// The partitions that records with the key went to.
fn partitions(s: &Scenario) -> Vec<i32> {
    let entries = s.ledger.entries().iter().filter(|e| e.sample.key.is_some());
    let mut places: Vec<i32> = entries.filter_map(|e| e.partition).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// What all but confluent have in common.
fn is_one_at_a_time(profile: &Profile) {
    assert_eq!(profile.config.enable_idempotence, Idempotence::Off);
    assert_eq!(profile.config.max_in_flight_requests_per_connection, 1);
    assert_eq!(profile.config.batch_records, u16::MAX);
    assert_eq!(profile.config.policies.overflow, Overflow::Reject);
    assert_eq!(profile.config.policies.delivery_interval_ms, 0);
    assert_eq!(profile.config.policies.queue_bytes_max, u32::MAX);
    assert_eq!(profile.limits.batch_size, profile.config.batch_size);
    assert_eq!(profile.limits.max_request_size, profile.config.max_request_size);
}

#[test]
fn pk_02_pk_05_to_pk_14_the_defaults_of_pykafka() {
    let profile = Profile::pykafka();
    is_one_at_a_time(&profile);
    let (config, policies) = (&profile.config, &profile.config.policies);
    assert_eq!(config.acks, Acks::Leader);
    assert_eq!(config.compression_type, klamm::Compression::None);
    assert_eq!(config.retries + 1, 3, "attempts");
    assert_eq!((config.retry_backoff_ms, config.retry_backoff_max_ms), (100, 100));
    assert_eq!(policies.ack_timeout_ms, 10_000);
    assert_eq!(policies.broker_queue_records_max, 100_000);
    assert_eq!(policies.queue_records_max, u32::MAX);
    assert_eq!(policies.send_at_records, 70_000);
    assert_eq!(config.linger_ms, 5_000);
    assert_eq!(config.max_request_size, 1_000_012);
    assert!(policies.hold_full_batches && policies.final_errors.is_empty());
    assert_eq!((config.request_timeout_ms, config.delivery_timeout_ms), (30_000, 120_000));
    assert_eq!((profile.max_block_ms, config.batch_size), (u32::MAX, 65_536));

    let mut s = start(&profile);
    assert_eq!(keyed(&mut s, 10_000), 10_000);
    s.run(4_800);
    assert_eq!(requests_of(&s), 0, "nor do full batches go");
    s.run(5_000);
    assert_eq!(s.stats().buffered, 0);
    assert_eq!(s.observer.last_terms, Some((1, 10_000)));
    assert_eq!(partitions(&s), (0..8).collect::<Vec<_>>(), "at random, whatever the key");
    s.finish();
}

#[test]
fn ki_01_ki_04_the_defaults_of_kiel() {
    let profile = Profile::kiel();
    is_one_at_a_time(&profile);
    let (config, policies) = (&profile.config, &profile.config.policies);
    assert_eq!(config.acks, Acks::All);
    assert_eq!(config.compression_type, klamm::Compression::None);
    assert_eq!(policies.send_at_records, 1, "batch_size");
    assert_eq!(policies.ack_timeout_ms, 500);
    assert_eq!((config.linger_ms, config.delivery_timeout_ms), (u32::MAX, u32::MAX));
    assert_eq!(config.retries, u32::MAX);
    assert!(policies.hold_full_batches && policies.final_errors.is_empty());
    assert_eq!(profile.max_block_ms, 60_000);

    let mut s = start(&profile);
    for _ in 0..200 {
        keyed(&mut s, 1);
        s.run(1_000);
        assert_eq!(s.stats().buffered, 0, "it went at once");
    }
    assert_eq!(s.observer.last_terms, Some((-1, 500)));
    assert_eq!(partitions(&s).len(), 8);
    s.finish();
}

#[test]
fn ak_10_ak_15_ak_19_ak_20_the_defaults_of_aiokafka() {
    let profile = Profile::aiokafka();
    is_one_at_a_time(&profile);
    let (config, policies) = (&profile.config, &profile.config.policies);
    assert_eq!(config.acks, Acks::Leader);
    assert_eq!((config.linger_ms, config.batch_size), (0, 16_384));
    assert_eq!(config.max_request_size, 1_048_576);
    assert_eq!((config.request_timeout_ms, config.delivery_timeout_ms), (40_000, 40_000));
    assert_eq!((config.retry_backoff_ms, config.retry_backoff_max_ms), (100, 100));
    assert_eq!(policies.final_errors, Policies::NOT_ENOUGH_REPLICAS);
    assert!(!policies.hold_full_batches);
    assert_eq!((policies.send_at_records, policies.queue_records_max), (u32::MAX, u32::MAX));
    assert_eq!((policies.ack_timeout_ms, profile.max_block_ms), (0, u32::MAX));

    let mut s = start(&profile);
    keyed(&mut s, 100);
    s.run_until_reported(5_000);
    assert_eq!(s.observer.last_terms, Some((1, 40_000)));
    assert_eq!(partitions(&s).len(), 1, "by the key");
    s.finish();
}

#[test]
fn rk_02_rk_03_the_defaults_of_ruby_kafka() {
    let profile = Profile::ruby_kafka();
    is_one_at_a_time(&profile);
    let (config, policies) = (&profile.config, &profile.config.policies);
    assert_eq!(config.acks, Acks::All);
    assert_eq!(policies.queue_records_max, 1_000, "max_queue_size");
    assert_eq!(policies.send_at_records, u32::MAX, "delivery_threshold: 0");
    assert_eq!(config.retries, u32::MAX, "max_retries: -1");
    assert_eq!((config.retry_backoff_ms, config.retry_backoff_max_ms), (1_000, 1_000));
    assert_eq!((config.linger_ms, config.delivery_timeout_ms), (u32::MAX, u32::MAX));
    assert_eq!(policies.ack_timeout_ms, 5_000);
    assert!(policies.hold_full_batches && policies.final_errors.is_empty());
    assert_eq!((profile.limits.buffer_memory, profile.max_block_ms), (10_000_000, 0));

    let mut s = start(&profile);
    flush(&mut s);
    s.run_until_reported(5_000);
    assert_eq!(keyed(&mut s, 1_001), 1_000, "max queue size reached");
    s.run(10_000_000);
    assert_eq!(s.stats().buffered, 1_000);
    flush(&mut s);
    s.run_until_reported(5_000);
    assert_eq!(s.observer.last_terms, Some((-1, 5_000)));
    let mut crc = flate2::Crc::new();
    crc.update(KEY);
    assert_eq!(partitions(&s), [(crc.sum() % 8).cast_signed()]);
    s.finish();
}

#[test]
fn ck_04_ck_11_ck_16_the_defaults_of_confluent() {
    let profile = Profile::confluent();
    let (config, policies) = (&profile.config, &profile.config.policies);
    assert_eq!((config.acks, config.enable_idempotence), (Acks::All, Idempotence::Preferred));
    assert_eq!(config.max_in_flight_requests_per_connection, 5);
    assert_eq!((config.linger_ms, config.batch_size), (5, 1_000_000));
    assert_eq!((config.batch_records, config.max_request_size), (10_000, 1_000_000));
    assert_eq!(config.retries, u32::MAX);
    assert_eq!((config.retry_backoff_ms, config.retry_backoff_max_ms), (100, 1_000));
    assert_eq!((config.request_timeout_ms, config.delivery_timeout_ms), (30_000, 300_000));
    assert_eq!((config.reconnect_backoff_ms, config.reconnect_backoff_max_ms), (100, 10_000));
    assert_eq!(config.socket_connection_setup_timeout_ms, 30_000);
    assert_eq!(config.connections_max_idle_ms, u32::MAX);
    assert_eq!(policies.queue_records_max, 100_000);
    assert_eq!(policies.broker_queue_records_max, u32::MAX);
    assert_eq!(policies.send_at_records, u32::MAX);
    assert!(!policies.hold_full_batches && policies.final_errors.is_empty());
    assert_eq!((profile.limits.buffer_memory, profile.max_block_ms), (1 << 30, 0));
    assert_eq!(profile.limits.batch_size, 1_000_000);

    let mut s = start(&profile);
    keyed(&mut s, 100);
    s.run_until_reported(5_000);
    assert_eq!(s.observer.last_terms, Some((-1, 30_000)));
    assert_eq!(partitions(&s).len(), 1, "by the key");
    s.finish();
}

/// Section 6 of the acceptance table.
#[test]
fn the_defaults_of_klamm() {
    let profile = Profile::klamm();
    let (config, policies) = (&profile.config, &profile.config.policies);
    assert_eq!((config.acks, config.enable_idempotence), (Acks::All, Idempotence::Preferred));
    assert_eq!(config.max_in_flight_requests_per_connection, 5);
    assert_eq!((config.linger_ms, config.batch_size), (5, 16_384));
    assert_eq!(config.batch_records, u16::MAX);
    assert_eq!((config.request_timeout_ms, config.delivery_timeout_ms), (30_000, 120_000));
    assert_eq!((config.retries, policies.overflow), (u32::MAX, Overflow::Reject));
    assert!(!policies.hold_full_batches && policies.final_errors.is_empty());
    assert_eq!((profile.limits.buffer_memory, profile.max_block_ms), (32 << 20, 60_000));
}
