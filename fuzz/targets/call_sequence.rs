//! Any order of calls with any arguments, and a peer that says anything: no panic, and after each one every accepted
//! record is in exactly one place.
#![no_main]

use std::sync::OnceLock;

use arbitrary::Arbitrary;
use klamm::partitioner::{self, Partitioner, Partitions};
use klamm::{
    Acks, BatchBuilder, Compression, Config, ConnId, Demand, Destination, Explain, Header,
    Idempotence, Instant, Limits, Overflow, PartitionId, Policies, Producer, Record, RecordId,
    Scope, Storage, Timestamp, TopicId,
};
use klamm_fuzz::answer::Versions;
use klamm_fuzz::harness::{CONNECTIONS, Harness, config, limits};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'i> {
    versions: Versions,
    options: Options,
    calls: Vec<Call<'i>>,
}

#[derive(Arbitrary, Debug)]
struct Options {
    gzip: bool,
    idempotence: bool,
    linger_ms: u8,
    in_flight: u8,
    retries: Option<u8>,
    clock: bool,
    acks: u8,
    stop_on_data_loss: bool,
    /// How far the sequences are from their end.
    before_wrap: Option<u8>,
    chunks: u8,
    slots: u8,
    overflow: u8,
    hold_full_batches: bool,
    send_at_records: Option<u8>,
    queue_records: Option<u8>,
    queue_kbytes: Option<u8>,
    broker_queue_records: Option<u8>,
    delivery_interval_ms: u8,
    final_errors: bool,
    batch_records: Option<u8>,
    partitioner: u8,
    single_address: bool,
    clock_wait_ms: u8,
    hold_stamped: bool,
}

#[derive(Arbitrary, Debug)]
enum Call<'i> {
    Send {
        partition: Option<u8>,
        key: Option<u8>,
        length: u16,
        header: bool,
    },
    SendAnything {
        topic: u8,
        partition: Option<i32>,
        key: Option<&'i [u8]>,
        value: Option<&'i [u8]>,
        header: Option<(&'i str, Option<&'i [u8]>)>,
        timestamp: Option<i64>,
    },
    SendWith {
        most: u16,
        used: u16,
    },
    Topic {
        name: u8,
    },
    Flush,
    Close,
    Purge,
    Clock {
        millis: i64,
    },
    Wait {
        millis: u16,
    },
    /// The time that calls are told from now on; it may be before what they were told already.
    Jump {
        micros: u64,
    },
    WaitForDeadline,
    Drive,
    Dialing {
        conn: u8,
    },
    Connected {
        conn: u8,
    },
    Transmit {
        conn: u8,
        most: u8,
    },
    TransmitFails {
        conn: u8,
    },
    Answer {
        conn: u8,
        error: i16,
        offset: u16,
    },
    /// A valid answer with one wrong byte.
    Mangle {
        conn: u8,
        at: u16,
        byte: u8,
        splits: [u8; 2],
    },
    /// A frame that is an answer in form alone.
    AnswerWith {
        conn: u8,
        splits: [u8; 2],
        body: &'i [u8],
    },
    /// Bytes that are no answer to anything.
    Say {
        conn: u8,
        bytes: &'i [u8],
    },
    Disconnected {
        conn: u8,
    },
    Look,
    Report,
    ExpectPartitions {
        topic: u8,
        count: i32,
    },
    SendBatch {
        partition: Option<u8>,
        records: u8,
        length: u8,
        timestamp: Option<i64>,
        close: bool,
    },
    Pause {
        paused: bool,
    },
    PurgeSome {
        topic: Option<u8>,
        partition: Option<i8>,
        in_flight: bool,
    },
    Release {
        batch: u8,
    },
    Snapshot,
}

fuzz_target!(|input: Input<'_>| {
    let options = &input.options;
    let bound = |limits: &mut Limits| bound(limits, options);
    let mut harness = Harness::within(input.versions, bound, |config| configure(config, options));
    if options.clock {
        harness.set_clock();
    }
    for call in &input.calls {
        apply(&mut harness, call);
        if matches!(call, Call::Snapshot) {
            snapshot(&harness, options);
        }
        harness.check();
    }
    harness.finish();
});

fn bound(limits: &mut Limits, options: &Options) {
    limits.buffer_memory = 8 * 1024 + 1024 * u32::from(options.chunks % 16);
    limits.batch_size >>= options.chunks >> 4 & 3;
    limits.topics = 1 + u16::from(options.slots & 3);
    limits.partitions = 1 + u16::from(options.slots >> 2 & 3);
    limits.brokers = CONNECTIONS + (options.slots >> 4 & 3);
    limits.connections = 1 + (options.slots >> 6 & 1);
}

fn configure(config: &mut Config<'_>, options: &Options) {
    if options.gzip {
        config.compression_type = Compression::Gzip { level: 1 };
    }
    config.acks = [Acks::All, Acks::All, Acks::Leader, Acks::None][usize::from(options.acks % 4)];
    if !options.idempotence {
        config.enable_idempotence = Idempotence::Off;
    }
    config.linger_ms = options.linger_ms.into();
    config.max_in_flight_requests_per_connection = 1 + options.in_flight % 5;
    config.retries = options.retries.map_or(u32::MAX, u32::from);
    config.stop_on_data_loss = options.stop_on_data_loss;
    if let Some(before) = options.before_wrap {
        config.start_sequence = i32::MAX - i32::from(before);
        config.start_epoch = i16::MAX - i16::from(before % 4);
    }
    if let Some(records) = options.batch_records {
        config.batch_records = 1 + u16::from(records);
    }
    config.partitioner = PARTITIONERS[usize::from(options.partitioner) % PARTITIONERS.len()];
    config.single_address = options.single_address;
    config.clock_wait_ms = options.clock_wait_ms.into();
    let idempotent = config.acks == Acks::All && options.idempotence;
    config.hold_stamped = options.hold_stamped && idempotent;
    let policies = &mut config.policies;
    let bound = |most: Option<u8>| most.map_or(u32::MAX, |most| 1 + u32::from(most));
    policies.overflow = [Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest]
        [usize::from(options.overflow % 3)];
    policies.hold_full_batches = options.hold_full_batches;
    policies.send_at_records = bound(options.send_at_records);
    policies.queue_records_max = bound(options.queue_records);
    policies.queue_bytes_max = bound(options.queue_kbytes).saturating_mul(1024);
    policies.broker_queue_records_max = bound(options.broker_queue_records);
    policies.delivery_interval_ms = options.delivery_interval_ms.into();
    if options.final_errors {
        policies.final_errors = Policies::NOT_ENOUGH_REPLICAS;
    }
}

static PARTITIONERS: [&dyn Partitioner; 8] = [
    &partitioner::java,
    &partitioner::java_adaptive,
    &partitioner::random,
    &partitioner::round_robin,
    &partitioner::sticky,
    &partitioner::few_connections,
    &partitioner::consistent_random,
    &anything,
];

/// A partitioner of the user's, who may have any number in mind.
fn anything(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
    let Some(key) = key else { return partitions.adaptive() };
    key.first_chunk().map_or(-1, |bytes| i32::from_le_bytes(*bytes))
}

/// Handles that the producer under test never gave.
fn foreign_topic(number: u8) -> TopicId {
    static TOPICS: OnceLock<Vec<TopicId>> = OnceLock::new();
    let topics = TOPICS.get_or_init(|| {
        let config = Config::new("b:9092");
        let storage = Storage::boxed(&Limits::new());
        let mut other = Producer::new(&config, storage, 7, Instant::ZERO).expect("the defaults");
        (0..8).map(|i| other.topic(&format!("other-{i}")).expect("there are 64")).collect()
    });
    topics[usize::from(number) % topics.len()]
}

fn apply(harness: &mut Harness, call: &Call<'_>) {
    let now = harness.now;
    let conn = |number: u8, harness: &Harness| -> ConnId {
        let slots: Vec<ConnId> = harness.producer.connections().collect();
        slots[usize::from(number) % slots.len()]
    };
    match *call {
        Call::Send { partition, key, length, header } => {
            let value = vec![b'v'; usize::from(length % 6000)];
            let key = key.map(|byte| [byte]);
            let headers = [Header::new("h", b"1")];
            let mut record = Record::value(&value);
            record.key = key.as_ref().map(|key| &key[..]);
            record.headers = &headers[..usize::from(header)];
            let to = match partition {
                Some(index) => Destination::partition(harness.topic, (index % 3).into()),
                None => Destination::topic(harness.topic),
            };
            send(harness, to, &record);
        }
        Call::SendAnything { topic, partition, key, value, header, timestamp } => {
            let topic = foreign_topic(topic);
            let headers = header.map(|(key, value)| Header { key, value });
            let mut record = Record::null();
            record.key = key;
            record.value = value;
            record.headers = headers.as_slice();
            record.timestamp = timestamp.map(Timestamp::from_millis);
            let to = match partition {
                Some(index) => Destination::partition(topic, index),
                None => Destination::topic(topic),
            };
            send(harness, to, &record);
        }
        Call::SendWith { most, used } => {
            let to = Destination::partition(harness.topic, 0);
            let result = harness.producer.send_with(to, &Record::null(), most.into(), now, |out| {
                out.fill(b'w');
                // More than there is room for is the caller's mistake, and must do no harm.
                used.into()
            });
            if let Ok(id) = result {
                harness.accepted(id);
            }
        }
        Call::Topic { name } => {
            let _ = harness.producer.topic(["t", "u", "v", "", "not valid"][usize::from(name % 5)]);
        }
        Call::Flush => {
            let ticket = harness.producer.flush(now);
            if harness.producer.stats().buffered == 0 {
                assert!(harness.producer.is_flushed(ticket), "nothing is buffered");
            }
        }
        Call::Close => harness.producer.close(now),
        Call::Purge => harness.producer.purge(Scope::ALL, now),
        Call::Clock { millis } => {
            harness.producer.set_clock(Timestamp::from_millis(millis), now);
        }
        Call::Wait { millis } => {
            harness.now = now.plus_millis(millis.into());
            harness.producer.handle_timeout(harness.now);
        }
        Call::Jump { micros } => harness.now = Instant::from_micros(micros),
        Call::WaitForDeadline => {
            if let Some((deadline, _)) = harness.producer.next_deadline() {
                harness.now = now.max(deadline);
                harness.producer.handle_timeout(harness.now);
            }
        }
        Call::Drive => drop(harness.drive()),
        Call::Dialing { conn: number } => {
            harness.producer.handle_dialing(conn(number, harness), now);
        }
        Call::Connected { conn: number } => {
            harness.producer.handle_connected(conn(number, harness), now);
        }
        Call::Transmit { conn: number, most } => {
            let conn = conn(number, harness);
            harness.transmit(conn, most.into());
        }
        Call::TransmitFails { conn: number } => {
            let conn = conn(number, harness);
            let before = harness.producer.demand(conn);
            let result = harness.producer.transmit_with(conn, now, |_| Err(()));
            assert!(result.is_err() || result == Ok(0), "bytes were taken by nobody");
            let after = harness.producer.demand(conn);
            assert!(before != Demand::Transmit || result == Ok(0) || after == before);
        }
        Call::Answer { conn: number, error, offset } => {
            let conn = conn(number, harness);
            harness.answer(conn, error % 130, offset.into());
        }
        Call::Mangle { conn: number, at, byte, splits } => {
            let conn = conn(number, harness);
            harness.answer_wrongly(conn, &splits, |mut body| {
                let at = usize::from(at) % body.len();
                body[at] = byte;
                body
            });
        }
        Call::AnswerWith { conn: number, splits, body } => {
            let conn = conn(number, harness);
            harness.answer_wrongly(conn, &splits, |_| body.to_vec());
        }
        Call::Say { conn: number, bytes } => {
            let conn = conn(number, harness);
            let _ = harness.receive(conn, bytes, &[3]);
        }
        Call::Disconnected { conn: number } => {
            let conn = conn(number, harness);
            harness.disconnect(conn);
        }
        Call::Look => look(harness),
        Call::Report => drop(harness.take_report()),
        Call::ExpectPartitions { topic, count } => {
            harness.producer.expect_partitions(foreign_topic(topic), count);
        }
        Call::SendBatch { partition, records, length, timestamp, close } => {
            let (value, mut memory) = ([b'b'; 256], [0; 2048]);
            let mut record = Record::value(&value[..length.into()]);
            record.timestamp = timestamp.map(Timestamp::from_millis);
            let mut batch = BatchBuilder::new(&mut memory);
            while batch.records() < records.into() && batch.append(&record).is_ok() {}
            if close {
                batch.close();
            }
            let to = match partition {
                Some(index) => Destination::partition(harness.topic, (index % 3).into()),
                None => Destination::topic(harness.topic),
            };
            if let Ok(id) = harness.producer.send_batch(to, &batch, now) {
                for index in 0..batch.records() {
                    harness.accepted(RecordId { batch: id, index });
                }
            }
        }
        Call::Pause { paused } => harness.producer.pause(paused, now),
        Call::PurgeSome { topic, partition, in_flight } => {
            let mut scope = Scope::ALL;
            scope.topic = topic.map(foreign_topic);
            scope.partition = partition.map(i32::from);
            scope.in_flight = in_flight;
            harness.producer.purge(scope, now);
        }
        Call::Release { batch } => {
            let held = harness.producer.numbered().filter(|b| b.held).nth(batch.into());
            if let Some(held) = held {
                let _ = harness.producer.batch_records(held.batch).map(Iterator::count);
                assert!(harness.producer.release_batch(held.batch), "it was held");
                assert!(!harness.producer.release_batch(held.batch), "it is not held any more");
            }
        }
        Call::Snapshot => {}
    }
}

fn snapshot(harness: &Harness, options: &Options) {
    let config = config(|config| configure(config, options));
    if config.acks == Acks::All && config.enable_idempotence != Idempotence::Off {
        harness.snapshot(&config, Storage::boxed(&limits(|limits| bound(limits, options))));
    }
}

fn send(harness: &mut Harness, to: Destination, record: &Record<'_>) {
    if let Ok(id) = harness.producer.send(to, record, harness.now) {
        harness.accepted(id);
    }
}

/// Everything that can be asked without changing anything.
fn look(harness: &mut Harness) {
    for topic in (0..8).map(foreign_topic).chain([harness.topic]) {
        let count = harness.producer.partition_count(topic);
        assert!(count.is_none_or(|count| count > 0), "{count:?} partitions");
        let _ = (harness.producer.topic_name(topic), harness.producer.topic_error(topic));
        for partition in [0, 1, -1, i32::MAX] {
            let _ = harness.producer.leader(topic, partition);
            let why = harness.producer.explain(PartitionId { topic, index: partition });
            let _ = why.to_string();
        }
    }
    for conn in harness.producer.connections() {
        let _ = harness.producer.address(conn).map(|address| address.host.to_string());
    }
    for record in harness.unreported() {
        let why = harness.producer.explain_record(record);
        assert_ne!(why, Explain::Nothing, "a record without an outcome waits for something");
    }
    let _ = harness.producer.take_wake();
}
