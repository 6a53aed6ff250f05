//! The partition, and why it is that one: the core chooses, without a network.

use klamm::partitioner::{Partitioner, hash};
use klamm::{Config, Instant, Limits, Producer, Storage};
use serde::Serialize;

pub(super) struct Choice {
    /// `None`: any partition will do.
    pub(super) partition: Option<i32>,
    pub(super) partitioner: Option<&'static str>,
    pub(super) hash: Option<Hash>,
    pub(super) why: String,
}

/// What a key comes to.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Hash {
    /// Its name.
    function: &'static str,
    value: u32,
    /// How it becomes a partition.
    #[serde(skip)]
    rule: &'static str,
}

impl Choice {
    /// The caller named the partition.
    pub(super) fn named(partition: i32) -> Self {
        let why = "named by -p".to_owned();
        Self { partition: Some(partition), partitioner: None, hash: None, why }
    }

    /// What this partitioner does with the key.
    pub(super) fn new(chooser: &'static dyn Partitioner, key: Option<&[u8]>, count: i32) -> Self {
        let name = chooser.name().rsplit("::").next().unwrap_or_default();
        let hash = hash_of(name, key);
        let partition = hash.and_then(|_| choose(chooser, key, count));
        let what = if key.is_some() { "the key" } else { "no key, as of an empty one," };
        let why = match hash {
            Some(Hash { function, value, rule }) => {
                format!("{function} of {what} is {value:#010x}; {rule} modulo {count}")
            }
            None => habit(name).to_owned(),
        };
        Self { partition, partitioner: Some(name), hash, why }
    }
}

/// The hash that decides, where one does.
fn hash_of(partitioner: &str, key: Option<&[u8]>) -> Option<Hash> {
    let (murmur2, crc32, fnv1a) = ("murmur2", "crc32", "fnv1a");
    let (function, key) = match partitioner {
        "java" | "java_adaptive" | "few_connections" | "murmur2_random" => (murmur2, key?),
        "murmur2" => (murmur2, key.unwrap_or_default()),
        "crc32" => (crc32, key?),
        "consistent_random" => (crc32, key.filter(|key| !key.is_empty())?),
        "consistent" => (crc32, key.unwrap_or_default()),
        "fnv1a_random" => (fnv1a, key?),
        "fnv1a" => (fnv1a, key.unwrap_or_default()),
        _ => return None,
    };
    let (value, rule) = match function {
        "murmur2" => (hash::murmur2(key), "its low 31 bits"),
        "crc32" => (hash::crc32(key), "that"),
        _ => (hash::fnv1a(key), "that"),
    };
    Some(Hash { function, value, rule })
}

/// What a partitioner does where no hash decides.
fn habit(partitioner: &str) -> &'static str {
    match partitioner {
        "random" => "each record goes to a random partition that has a leader",
        "round_robin" => "the partitions that have a leader take turns",
        "java_adaptive" | "adaptive" => {
            "records stick to one partition for about a batch, rather to one with a short queue"
        }
        "few_connections" => {
            "records stick to one partition for about a batch, rather where there is a connection"
        }
        _ => "records stick to one partition that has a leader for about a batch, then to another",
    }
}

/// Asks the partitioner itself, in a producer that nothing is ever sent by.
fn choose(chooser: &'static dyn Partitioner, key: Option<&[u8]>, count: i32) -> Option<i32> {
    let mut config = Config::new("localhost:9092");
    config.partitioner = chooser;
    let mut limits = Limits::new();
    limits.buffer_memory = 0;
    let storage = Storage::boxed(&limits);
    let mut producer = Producer::new(&config, storage, 0, Instant::ZERO).ok()?;
    let topic = producer.topic("t").ok()?;
    producer.expect_partitions(topic, count);
    let mut partitions = producer.partitions(topic)?;
    Some(chooser.choose(key, &mut partitions))
}

#[cfg(test)]
mod tests {
    use klamm::partitioner;

    use super::*;

    const HASHING: [(&str, &dyn Partitioner); 10] = [
        ("java", &partitioner::java),
        ("java_adaptive", &partitioner::java_adaptive),
        ("few_connections", &partitioner::few_connections),
        ("murmur2", &partitioner::murmur2),
        ("murmur2_random", &partitioner::murmur2_random),
        ("consistent", &partitioner::consistent),
        ("consistent_random", &partitioner::consistent_random),
        ("crc32", &partitioner::crc32),
        ("fnv1a", &partitioner::fnv1a),
        ("fnv1a_random", &partitioner::fnv1a_random),
    ];

    /// What is said about a choice has to be how the choice was made.
    #[test]
    fn the_reason_given_is_the_reason() {
        for (name, chooser) in HASHING {
            for key in [Some(&b"sensor-7"[..]), Some(b"k"), Some(b""), None] {
                let choice = Choice::new(chooser, key, 7);
                assert_eq!(choice.partitioner, Some(name));
                let by_reason = choice.hash.map(|hash| match hash.rule {
                    "its low 31 bits" => (hash.value & 0x7fff_ffff) % 7,
                    _ => hash.value % 7,
                });
                assert_eq!(choice.partition.map(i32::unsigned_abs), by_reason, "{name} {key:?}");
                if key.is_some_and(|key| !key.is_empty()) {
                    assert!(choice.hash.is_some(), "{name}: a key decides");
                }
            }
        }
    }

    /// Where no hash is named, the partitioner is free: it does not choose alike every time.
    #[test]
    fn any_partition_is_any_partition() {
        let free: [(&dyn Partitioner, &[u8]); 4] = [
            (&partitioner::random, b"k"),
            (&partitioner::round_robin, b"k"),
            (&partitioner::sticky, b"k"),
            (&partitioner::consistent_random, b""),
        ];
        for (chooser, key) in free {
            let choice = Choice::new(chooser, Some(key), 7);
            assert_eq!(choice.partition, None);
            assert!(choice.hash.is_none() && !choice.why.is_empty());
        }
    }

    /// `Utils.murmur2` of kafka-clients 4.3.0.
    #[test]
    fn javas_golden_vector() {
        let choice = Choice::new(&partitioner::java, Some(b"foobar"), 12);
        assert_eq!(choice.partition, Some(6));
        assert_eq!(choice.why, "murmur2 of the key is 0xd0e47bbe; its low 31 bits modulo 12");
    }
}
