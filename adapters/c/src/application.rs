//! What the application calls: topics, records, flush, figures.

use core::ffi::{c_char, c_void};

use klamm::{Destination, FlushTicket, Header, Instant, Record, Scope, Timestamp};

use crate::pointer;
use crate::producer::klamm_producer;
use crate::status::klamm_status;

/// `partition` of a record: the partitioner chooses.
pub const KLAMM_ANY_PARTITION: i32 = -1;
/// `timestamp_ms` of a record: the time of klamm_send, by klamm_set_clock.
pub const KLAMM_NOW: i64 = -1;
/// The most headers that a record may have.
pub const KLAMM_HEADERS_MAX: usize = 16;

/// A header of a record.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct klamm_header {
    /// The name: UTF-8, with a zero byte behind it.
    pub key: *const c_char,
    /// The value; null is Kafka's null.
    pub value: *const c_void,
    /// Bytes of the value.
    pub value_len: usize,
}

/// A record. Begin with KLAMM_RECORD, and set what you need.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct klamm_record {
    /// From klamm_topic.
    pub topic: u16,
    /// From 0, or KLAMM_ANY_PARTITION.
    pub partition: i32,
    /// The key; null is Kafka's null, which is not the same as one of 0 bytes.
    pub key: *const c_void,
    /// Bytes of the key.
    pub key_len: usize,
    /// The value; null is Kafka's null, a tombstone on a compacted topic.
    pub value: *const c_void,
    /// Bytes of the value.
    pub value_len: usize,
    /// Headers in order; null for none.
    pub headers: *const klamm_header,
    /// How many, at most KLAMM_HEADERS_MAX.
    pub header_count: usize,
    /// Milliseconds since 1970, or KLAMM_NOW.
    pub timestamp_ms: i64,
}

/// Which record it is: its batch, and its place in that. The same three numbers come back in a klamm_report.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct klamm_record_id {
    /// The batch's slot.
    pub slot: u16,
    /// Tells a batch from the one before in the same slot.
    pub generation: u16,
    /// The record's place in the batch, from 0.
    pub index: u16,
}

/// Counters since the start. `accepted` = `delivered` + `not_persisted` + `unknown` + `buffered`, after every call.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct klamm_stats {
    /// Records that klamm_send accepted.
    pub accepted: u64,
    /// Records delivered.
    pub delivered: u64,
    /// Records certainly not in the log.
    pub not_persisted: u64,
    /// Records of which that is not known.
    pub unknown: u64,
    /// Records that have no outcome yet.
    pub buffered: u64,
    /// Produce requests sent.
    pub requests: u64,
    /// Batches sent, retries included.
    pub batches: u64,
    /// Batches sent again.
    pub retries: u64,
    /// Times that a broker was found to have lost data or the producer's state.
    pub data_losses: u64,
    /// Connections that became ready.
    pub connects: u64,
}

/// The handle of a topic, the same for the same name: at most 64 bytes, with a zero byte behind them.
///
/// KLAMM_STATUS_INVALID_TOPIC, KLAMM_STATUS_NO_SLOT, KLAMM_STATUS_CLOSED, KLAMM_STATUS_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_topic(
    producer: *mut klamm_producer,
    name: *const c_char,
    topic: *mut u16,
) -> klamm_status {
    let register = || {
        // SAFETY: the program vouches for its pointers, as the header asks.
        let (producer, name) = unsafe { (klamm_producer::of(producer)?, pointer::text(name)?) };
        let id = producer.inner.topic(name)?;
        let number = u16::try_from(id.index()).map_err(|_| klamm_status::NoSlot)?;
        *producer.topics.get_mut(id.index()).ok_or(klamm_status::NoSlot)? = Some(id);
        // SAFETY: as above.
        unsafe { pointer::put(topic, number) };
        Ok(())
    };
    klamm_status::of(register())
}

/// How many partitions the topic has; 0 while metadata has not said so, and for a wrong handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_partition_count(producer: *const klamm_producer, topic: u16) -> i32 {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Ok(producer) = (unsafe { klamm_producer::look(producer) }) else { return 0 };
    let count = producer.topic(topic).ok().and_then(|topic| producer.inner.partition_count(topic));
    count.unwrap_or(0)
}

/// Says how many partitions the topic has, so that keyed records are accepted before the first metadata. False if that
/// does not count: metadata has said it, `count` is below 1, or the handle is wrong.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_expect_partitions(
    producer: *mut klamm_producer,
    topic: u16,
    count: i32,
) -> bool {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Ok(producer) = (unsafe { klamm_producer::of(producer) }) else { return false };
    producer.topic(topic).is_ok_and(|topic| producer.inner.expect_partitions(topic, count))
}

/// The last error that a broker gave for the topic, for klamm_error_text; 0 for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_topic_error(producer: *const klamm_producer, topic: u16) -> i16 {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Ok(producer) = (unsafe { klamm_producer::look(producer) }) else { return 0 };
    let error = producer.topic(topic).ok().and_then(|topic| producer.inner.topic_error(topic));
    error.map_or(0, |error| error.0)
}

/// Accepts a record: copies it into the open batch of its partition. From then on there is exactly one report that
/// counts it. `id` may be null.
///
/// KLAMM_STATUS_FULL, KLAMM_STATUS_TOPIC_PENDING: try again later. KLAMM_STATUS_TOO_LARGE, KLAMM_STATUS_TOPIC,
/// KLAMM_STATUS_NO_SUCH_PARTITION, KLAMM_STATUS_NO_SLOT, KLAMM_STATUS_CLOSED. KLAMM_STATUS_ARGUMENT: a null pointer
/// with a length, a wrong topic, a partition below -1, too many headers, a header's name that is not UTF-8. The record
/// is not accepted then, and nothing has changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_send(
    producer: *mut klamm_producer,
    record: *const klamm_record,
    now_us: u64,
    id: *mut klamm_record_id,
) -> klamm_status {
    let send = || {
        // SAFETY: the program vouches for its pointers, as the header asks.
        let producer = unsafe { klamm_producer::of(producer) }?;
        // SAFETY: the same.
        let record = unsafe { record.as_ref() }.ok_or(klamm_status::Argument)?;
        let topic = producer.topic(record.topic)?;
        let to = match record.partition {
            KLAMM_ANY_PARTITION => Destination::topic(topic),
            partition if partition >= 0 => Destination::partition(topic, partition),
            _ => return Err(klamm_status::Argument),
        };
        let mut headers = [Header { key: "", value: None }; KLAMM_HEADERS_MAX];
        let mut lent = Record::null();
        // SAFETY: the same; what is lent goes no further than this function.
        unsafe {
            lent.headers = read_headers(record, &mut headers)?;
            lent.key = pointer::bytes(record.key, record.key_len)?;
            lent.value = pointer::bytes(record.value, record.value_len)?;
        }
        lent.timestamp =
            (record.timestamp_ms >= 0).then(|| Timestamp::from_millis(record.timestamp_ms));
        let accepted = producer.inner.send(to, &lent, Instant::from_micros(now_us))?;
        let [slot, generation] = numbers(accepted.batch);
        // SAFETY: the same.
        unsafe { pointer::put(id, klamm_record_id { slot, generation, index: accepted.index }) };
        Ok(())
    };
    klamm_status::of(send())
}

/// Stops waiting for more records: all that was accepted so far is sent as soon as it can be. Returns a ticket for
/// klamm_is_flushed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_flush(producer: *mut klamm_producer, now_us: u64) -> u32 {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Ok(producer) = (unsafe { klamm_producer::of(producer) }) else { return 0 };
    producer.inner.flush(Instant::from_micros(now_us)).number()
}

/// Has every record that was accepted before klamm_flush gave this ticket an outcome? Its report may still be unread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_is_flushed(producer: *const klamm_producer, ticket: u32) -> bool {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Ok(producer) = (unsafe { klamm_producer::look(producer) }) else { return false };
    producer.inner.is_flushed(FlushTicket::from_number(ticket))
}

/// Accepts no more records, and flushes. What is under way goes on until its outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_close(producer: *mut klamm_producer, now_us: u64) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    if let Ok(producer) = unsafe { klamm_producer::of(producer) } {
        producer.inner.close(Instant::from_micros(now_us));
    }
}

/// Gives up every record that has no outcome: those that were never sent are reported as not persisted, the others as
/// unknown. Connections with requests in flight are to be closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_purge(producer: *mut klamm_producer, now_us: u64) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    if let Ok(producer) = unsafe { klamm_producer::of(producer) } {
        producer.inner.purge(Scope::ALL, Instant::from_micros(now_us));
    }
}

/// Says that at `now_us` it is `wall_ms` milliseconds since 1970-01-01 UTC. Records without a timestamp take it from
/// here, also those that were accepted before the first call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_set_clock(producer: *mut klamm_producer, wall_ms: i64, now_us: u64) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    if let Ok(producer) = unsafe { klamm_producer::of(producer) } {
        let now = Instant::from_micros(now_us);
        producer.inner.set_clock(Timestamp::from_millis(wall_ms), now);
    }
}

/// Copies the counters to `stats`; all 0 for what is no producer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_get_stats(producer: *const klamm_producer, stats: *mut klamm_stats) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    unsafe {
        let counters = klamm_producer::look(producer).map(|producer| producer.inner.stats());
        pointer::put(stats, counters.map(klamm_stats::from).unwrap_or_default());
    }
}

/// Bytes of record memory that no batch has: for programs that slow down before klamm_send answers
/// KLAMM_STATUS_FULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_free_bytes(producer: *const klamm_producer) -> u32 {
    // SAFETY: the program vouches for its pointers, as the header asks.
    unsafe { klamm_producer::look(producer) }.map_or(0, |producer| producer.inner.free_bytes())
}

/// The headers of a record, in `place`.
///
/// # Safety
/// As the header of the library asks of a `klamm_record`.
unsafe fn read_headers<'r>(
    record: &klamm_record,
    place: &'r mut [Header<'r>; KLAMM_HEADERS_MAX],
) -> Result<&'r [Header<'r>], klamm_status> {
    let count = record.header_count;
    let place = place.get_mut(..count).ok_or(klamm_status::Argument)?;
    if count > 0 && record.headers.is_null() {
        return Err(klamm_status::Argument);
    }
    for (n, to) in place.iter_mut().enumerate() {
        // SAFETY: not null, and there are `count` headers, as this function's caller vouches.
        unsafe {
            let header = &*record.headers.add(n);
            to.key = pointer::text(header.key)?;
            to.value = pointer::bytes(header.value, header.value_len)?;
        }
    }
    Ok(place)
}

/// Slot and generation of a batch.
#[allow(clippy::cast_possible_truncation, reason = "slots are numbered with 16 bits")]
pub(crate) const fn numbers(batch: klamm::BatchId) -> [u16; 2] {
    [batch.index() as u16, batch.generation()]
}

impl From<klamm::Stats> for klamm_stats {
    fn from(stats: klamm::Stats) -> Self {
        Self {
            accepted: stats.accepted,
            delivered: stats.delivered,
            not_persisted: stats.not_persisted,
            unknown: stats.unknown,
            buffered: stats.buffered,
            requests: stats.requests,
            batches: stats.batches,
            retries: stats.retries,
            data_losses: stats.data_losses,
            connects: stats.connects,
        }
    }
}
