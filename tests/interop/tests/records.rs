//! Records of every shape, written by klamm and read back by kcat, Java's consumer and
//! `DumpLogSegments`; and the partitions that keys go to.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use klamm_interop::dump::Batch;
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::log::StoredRecord;
use klamm_interop::run_dir::RunDir;
use klamm_interop::{CODECS, kcat, setup};
use klamm_std::{Header, Producer, Record, Timestamp};
use std::collections::HashMap;

const PARTITIONS: u32 = 3;

#[test]
fn records_of_every_shape_are_read_back_unchanged() {
    let run = RunDir::new("records").unwrap();
    let mut kafka = start(&run);
    for codec in CODECS {
        kafka.create_topic(codec, PARTITIONS, &[]).unwrap();
        let written = samples(codec != "none");
        write(&kafka.bootstrap(), codec, codec, &written);
        check_readers(&mut kafka, codec, &written);
        check_batches(&mut kafka, codec, &written);
    }
    run.done();
}

#[test]
fn ten_thousand_keys_go_where_javas_producer_puts_them() {
    const COUNT: u32 = 17;
    let run = RunDir::new("partitions").unwrap();
    let mut kafka = start(&run);
    kafka.create_topic("keys", COUNT, &[]).unwrap();
    // Every length from 0 to 40, so that each of murmur2's endings is met, and bytes above 127.
    let mut random = Random(20_241_121);
    let keys: Vec<Vec<u8>> = (0..10_000_u32)
        .map(|i| (0..i % 41).map(|_| random.byte()).chain(i.to_le_bytes()).collect())
        .chain([vec![]])
        .collect();
    let producer = Producer::from_properties([("bootstrap.servers", &kafka.bootstrap())]).unwrap();
    for key in &keys {
        producer.post("keys", &Record::value(b"").with_key(key)).unwrap();
    }
    assert!(producer.flush(None));
    assert_eq!(producer.close(klamm_interop::PATIENCE).undelivered, []);

    let expected = kafka.helper.partitions(&keys, COUNT).unwrap();
    let expected: HashMap<&[u8], u32> = keys.iter().map(Vec::as_slice).zip(expected).collect();
    let bootstrap = kafka.bootstrap();
    let log = kafka.helper.read(&bootstrap, "keys").unwrap();
    assert_eq!(log.len(), keys.len());
    for record in &log {
        let key = record.key.as_deref().unwrap();
        assert_eq!(record.partition, expected[key], "key {key:02x?}");
    }
    run.done();
}

fn start(run: &RunDir) -> Cluster {
    let options = Options { nodes: 1, ..Options::default() };
    Cluster::start(setup::tools().unwrap(), run, &options).unwrap()
}

/// What is written, as it should be read back: in ascending order of partition and offset.
fn samples(compressible: bool) -> Vec<StoredRecord> {
    let mut random = Random(7);
    let mut offsets = [0; PARTITIONS as usize];
    let mut next = |key: Option<&[u8]>, value: Option<Vec<u8>>, headers, timestamp| {
        let partition = u32::from(random.byte()) % PARTITIONS;
        let offset = &mut offsets[partition as usize];
        *offset += 1;
        StoredRecord {
            partition,
            offset: *offset - 1,
            timestamp,
            key: key.map(<[u8]>::to_vec),
            value,
            headers,
        }
    };
    let header =
        |name: &str, value: Option<&[u8]>| (name.as_bytes().to_vec(), value.map(<[u8]>::to_vec));
    let mut records = vec![
        next(None, Some(b"null key".to_vec()), vec![], 0),
        next(Some(b""), Some(b"empty key".to_vec()), vec![], 1_700_000_000_000),
        next(Some(b"null value"), None, vec![], 1),
        next(Some(b"empty value"), Some(vec![]), vec![], 1_600_000_000_000),
        next(None, None, vec![header("all null", None)], 1_700_000_000_001),
        next(
            Some(b"\0\n\xff:\t"),
            Some(b"bytes \0\r\n\xfe\xff".to_vec()),
            vec![
                header("a", Some(b"1")),
                header("a", Some(b"twice the same name")),
                header("stra\u{df}e", Some(b"")),
                header("", Some(b"no name")),
                header("none", None),
            ],
            1_234_567_890_123,
        ),
        // As large as the broker's default allows, near enough; one in the midst of small ones.
        next(Some(b"1 MB"), Some(large(1_000_000, compressible)), vec![], 1_500_000_000_000),
        next(None, Some(large(1_040_000, compressible)), vec![header("big", None)], 2),
    ];
    for i in 0..3_000_i64 {
        let key = format!("key-{}", i % 97);
        let value = format!("value number {i} of a record that is rather alike the others");
        let headers = vec![header("n", Some(i.to_string().as_bytes()))];
        // Timestamps go up and down within a batch.
        let timestamp = 1_700_000_000_000 + (i * 7_919) % 10_007;
        records.push(next(Some(key.as_bytes()), Some(value.into_bytes()), headers, timestamp));
    }
    records
}

fn large(length: usize, compressible: bool) -> Vec<u8> {
    let mut random = Random(99);
    (0..length).map(|_| if compressible { random.byte() & 1 } else { random.byte() }).collect()
}

fn write(bootstrap: &str, topic: &str, codec: &str, records: &[StoredRecord]) {
    let producer = Producer::from_properties([
        ("bootstrap.servers", bootstrap),
        ("compression.type", codec),
        ("linger.ms", "5"),
    ])
    .unwrap();
    let mut deliveries = Vec::new();
    for record in records {
        let headers: Vec<Header<'_>> = record
            .headers
            .iter()
            .map(|(name, value)| Header {
                key: core::str::from_utf8(name).unwrap(),
                value: value.as_deref(),
            })
            .collect();
        let mut borrowed = Record::null().with_headers(&headers);
        borrowed.key = record.key.as_deref();
        borrowed.value = record.value.as_deref();
        borrowed.timestamp = Some(Timestamp::from_millis(record.timestamp));
        let partition = record.partition.try_into().unwrap();
        deliveries.push(producer.send_to_partition(topic, partition, &borrowed).unwrap());
    }
    for (record, delivery) in records.iter().zip(deliveries) {
        let offset = delivery.wait().unwrap().offset.unwrap();
        assert_eq!(u64::try_from(offset).unwrap(), record.offset, "the offset that was reported");
    }
    assert_eq!(producer.close(klamm_interop::PATIENCE).undelivered, []);
}

fn check_readers(kafka: &mut Cluster, topic: &str, written: &[StoredRecord]) {
    let bootstrap = kafka.bootstrap();
    let java = kafka.helper.read(&bootstrap, topic).unwrap();
    for partition in 0..PARTITIONS {
        let of = |records: &[StoredRecord]| -> Vec<StoredRecord> {
            records.iter().filter(|r| r.partition == partition).cloned().collect()
        };
        let expected = of(written);
        assert_same(&of(&java), &expected, "Java's consumer");
        assert_same(&kcat::read(&bootstrap, topic, partition).unwrap(), &expected, "kcat");
    }
}

/// As `assert_eq`, without printing megabytes.
fn assert_same(read: &[StoredRecord], written: &[StoredRecord], reader: &str) {
    assert_eq!(read.len(), written.len(), "records that {reader} read");
    for (read, written) in read.iter().zip(written) {
        let (partition, offset) = (written.partition, written.offset);
        let print =
            |record: &StoredRecord| format!("{record:?}").chars().take(300).collect::<String>();
        assert!(
            read == written,
            "{reader}, partition {partition}, offset {offset}:\n{}\ninstead of\n{}",
            print(read),
            print(written)
        );
    }
}

/// What is on disk: checksums, codec, and one producer's sequence numbers without a gap.
fn check_batches(kafka: &mut Cluster, codec: &str, written: &[StoredRecord]) {
    let mut producer_ids = vec![];
    for partition in 0..PARTITIONS {
        let log = kafka.node(1).unwrap().log_file(codec, partition);
        let batches: Vec<Batch> = kafka.helper.dump(&log).unwrap();
        let mut next = 0;
        for batch in &batches {
            assert!(batch.valid, "{batch:?}");
            // Nothing here but a few bytes fails to shrink.
            let small = batch.codec == "none" && batch.size < 300;
            assert!(batch.codec == codec || small, "{batch:?}");
            assert_eq!(batch.producer_epoch, 0, "{batch:?}");
            assert_eq!(batch.base_offset, next, "{batch:?}");
            assert_eq!(u64::try_from(batch.base_sequence).unwrap(), next, "{batch:?}");
            next += u64::from(batch.count);
            producer_ids.push(batch.producer_id);
        }
        let expected = written.iter().filter(|r| r.partition == partition).count();
        assert_eq!(next, u64::try_from(expected).unwrap());
        assert!(batches.len() < expected / 2, "{} batches: no batching", batches.len());
    }
    producer_ids.dedup();
    assert!(matches!(producer_ids[..], [id] if id >= 0), "producer ids {producer_ids:?}");
}

/// A multiplicative generator: the samples are the same in every run.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0.to_be_bytes()[0]
    }
}
