//! From a key to a partition: the partitioners of the producers that people come from, and the way for one's own.
//!
//! [`Config::partitioner`](crate::Config::partitioner) names one; what it does not name is not linked.
//!
//! | here | there | key | no key |
//! |---|---|---|---|
//! | [`java`] (default) | Java without adaptive partitioning | murmur2 | sticky |
//! | [`java_adaptive`] | Java's default | murmur2 | sticky, short queues preferred |
//! | [`sticky`], [`adaptive`] | the same with `partitioner.ignore.keys` | ignored | as above |
//! | [`few_connections`] | | murmur2 | sticky, connected leaders preferred |
//! | [`murmur2`], [`murmur2_random`] | librdkafka | murmur2 | as an empty key; sticky |
//! | [`consistent`], [`consistent_random`] | librdkafka (its default) | CRC-32 | as an empty key; sticky, also where the key is empty |
//! | [`crc32`] | ruby-kafka | CRC-32 | sticky |
//! | [`fnv1a`], [`fnv1a_random`] | librdkafka, Sarama | FNV-1a | as an empty key; sticky |
//! | [`random`] | pykafka, kiel | ignored | any partition, record by record |
//! | [`round_robin`] | Java's `RoundRobinPartitioner` | ignored | in turn |
//! | [`GroupHashing`] | pykafka | any hash, plus a few at random | refused |

pub use super::hash;
pub use super::partitions::Partitions;

/// Chooses the partition of a record that does not name one.
///
/// A function will do (`config.partitioner = &my_function`), or a value of one's own in a `static`. It is asked once
/// for each record that the producer has room for or not, never for a retry; what must be remembered from record to
/// record is in [`Partitions`].
///
/// ```
/// use klamm::partitioner::Partitions;
/// use klamm::Config;
///
/// /// Alarms go to partition 0, all else where it is handled soonest.
/// fn alarms_first(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
///     if key == Some(b"alarm") { 0 } else { partitions.adaptive() }
/// }
///
/// let mut config = Config::new("localhost:9092");
/// config.partitioner = &alarms_first;
/// ```
pub trait Partitioner: Sync {
    /// The partition for a record with this key, from 0 to [`Partitions::count`] - 1. Any other number is refused as
    /// [`SendError::NoSuchPartition`](crate::SendError::NoSuchPartition).
    fn choose(&self, key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32;

    /// What messages and `Debug` call it; by default the name of its type or function.
    fn name(&self) -> &'static str {
        core::any::type_name::<Self>()
    }
}

impl<F: Fn(Option<&[u8]>, &mut Partitions<'_>) -> i32 + Sync> Partitioner for F {
    fn choose(&self, key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
        self(key, partitions)
    }
}

impl core::fmt::Debug for dyn Partitioner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// Keys by murmur2, as from Java; null keys stick to a random partition for about a batch (KIP-480, KIP-794). The
/// same key goes to the same partition as long as their number stays the same.
pub fn java(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    match key {
        Some(key) => positive(hash::murmur2(key), partitions),
        None => partitions.sticky(),
    }
}

/// As [`java`], and null keys prefer partitions with short queues: Java's default since 3.3 (KIP-794).
pub fn java_adaptive(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    match key {
        Some(key) => positive(hash::murmur2(key), partitions),
        None => partitions.adaptive(),
    }
}

/// As [`java`], and null keys prefer partitions whose leaders are connected: as few connections as possible.
pub fn few_connections(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    match key {
        Some(key) => positive(hash::murmur2(key), partitions),
        None => partitions.sticky_by(Partitions::random_connected),
    }
}

/// Ignores keys: all records stick to a random partition for about a batch.
pub fn sticky(_: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    partitions.sticky()
}

/// Ignores keys: as [`sticky`], and partitions with short queues are preferred.
pub fn adaptive(_: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    partitions.adaptive()
}

/// Ignores keys: every record goes to any partition that has a leader.
pub fn random(_: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    partitions.random_available()
}

/// Ignores keys: the partitions that have a leader take turns, record by record.
pub fn round_robin(_: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    let turn = partitions.turn();
    let nth = modulo(turn, partitions.available());
    match partitions.nth_available(nth) {
        Some(index) => index,
        None => modulo(turn, partitions.count()),
    }
}

/// librdkafka's `murmur2`: as Java, and a null key counts as an empty one.
pub fn murmur2(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    positive(hash::murmur2(key.unwrap_or_default()), partitions)
}

/// librdkafka's `murmur2_random`, which is [`java`].
pub fn murmur2_random(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    java(key, partitions)
}

/// librdkafka's `consistent`: CRC-32, and partition 0 without a key.
pub fn consistent(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    modulo(hash::crc32(key.unwrap_or_default()), partitions.count())
}

/// librdkafka's default: CRC-32; null and empty keys stick to a random partition.
pub fn consistent_random(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    match key {
        Some(key) if !key.is_empty() => modulo(hash::crc32(key), partitions.count()),
        _ => partitions.sticky(),
    }
}

/// ruby-kafka's default: CRC-32, also of an empty key; null keys stick to a random partition.
pub fn crc32(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    match key {
        Some(key) => modulo(hash::crc32(key), partitions.count()),
        None => partitions.sticky(),
    }
}

/// librdkafka's `fnv1a`: as Sarama, and a null key counts as an empty one.
pub fn fnv1a(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    modulo(hash::fnv1a(key.unwrap_or_default()), partitions.count())
}

/// librdkafka's `fnv1a_random`, Sarama's default: null keys stick to a random partition.
pub fn fnv1a_random(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    match key {
        Some(key) => modulo(hash::fnv1a(key), partitions.count()),
        None => partitions.sticky(),
    }
}

/// pykafka's `GroupHashingPartitioner`: a key goes to any of `size` partitions in a row, the first one by its hash. With
/// a size of 1 it is its `HashingPartitioner`. A record without a key is refused.
#[derive(Clone, Copy, Debug)]
pub struct GroupHashing {
    /// The hash of a key, of which the remainder by the number of partitions counts.
    pub hash: fn(&[u8]) -> u32,
    /// How many partitions share a key, at least 1.
    pub size: u32,
}

impl Partitioner for GroupHashing {
    fn choose(&self, key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
        let Some(key) = key else { return -1 };
        let count = partitions.count().cast_unsigned();
        let first = (self.hash)(key).checked_rem(count).unwrap_or_default();
        let further = partitions.random_below(self.size.clamp(1, count.max(1)));
        modulo(first.wrapping_add(further), partitions.count())
    }
}

/// Java's `toPositive` drops the sign bit; it does not negate.
fn positive(hash: u32, partitions: &Partitions<'_>) -> i32 {
    modulo(hash & 0x7fff_ffff, partitions.count())
}

/// `number` modulo `count`; 0 if there are none.
fn modulo(number: u32, count: i32) -> i32 {
    number.checked_rem(count.max(0).cast_unsigned()).unwrap_or_default().cast_signed()
}
