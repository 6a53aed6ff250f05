//! Any order of calls: no panic, and after each one every accepted record is in exactly one place.
#![no_main]

use arbitrary::Arbitrary;
use klamm::{
    BatchBuilder, Config, ConnId, Demand, Destination, Header, Idempotence, Overflow, Record,
    RecordId, Scope, Timestamp,
};
use klamm_fuzz::answer::Versions;
use klamm_fuzz::harness::Harness;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    versions: Versions,
    options: Options,
    calls: Vec<Call>,
}

#[derive(Arbitrary, Debug)]
struct Options {
    gzip: bool,
    idempotence: bool,
    linger_ms: u8,
    in_flight: u8,
    retries: Option<u8>,
    clock: bool,
    policies: Option<Policies>,
}

#[derive(Arbitrary, Debug)]
struct Policies {
    overflow: u8,
    hold: bool,
    batch_records: u8,
    send_at_records: Option<u8>,
    interval_ms: u8,
    queue_records: Option<u8>,
    broker_bytes: Option<u8>,
}

#[derive(Arbitrary, Debug)]
enum Call {
    Send { partition: Option<u8>, key: Option<u8>, length: u16, header: bool },
    SendWith { most: u8, used: u8 },
    Topic { name: u8 },
    Flush,
    Close,
    Purge { topic: bool, partition: Option<u8>, queued_only: bool },
    Clock { millis: i64 },
    Wait { millis: u16 },
    WaitForDeadline,
    Drive,
    Dialing { conn: u8 },
    Connected { conn: u8 },
    Transmit { conn: u8, most: u8 },
    TransmitFails { conn: u8 },
    Answer { conn: u8, error: i16, offset: u16 },
    Refuse { conn: u8, bytes: [u8; 6] },
    Disconnected { conn: u8 },
    Report,
    Pause { paused: bool },
    SendBatch { partition: Option<u8>, records: u8, length: u8, close: bool },
}

fuzz_target!(|input: Input| {
    let mut harness = Harness::new(input.versions, |config| configure(config, &input.options));
    if input.options.clock {
        harness.set_clock();
    }
    for call in &input.calls {
        apply(&mut harness, call);
        harness.check();
    }
    harness.finish();
});

fn configure(config: &mut Config<'_>, options: &Options) {
    if options.gzip {
        config.compression_type = klamm::Compression::Gzip { level: 1 };
    }
    if !options.idempotence {
        config.enable_idempotence = Idempotence::Off;
    }
    config.linger_ms = options.linger_ms.into();
    config.max_in_flight_requests_per_connection = 1 + options.in_flight % 5;
    config.retries = options.retries.map_or(u32::MAX, u32::from);
    let Some(policies) = &options.policies else { return };
    let bound = |value: Option<u8>| value.map_or(u32::MAX, |value| u32::from(value.max(1)));
    config.batch_records = u16::from(policies.batch_records.max(1));
    config.policies.overflow = match policies.overflow % 3 {
        0 => Overflow::Reject,
        1 => Overflow::DropOldest,
        _ => Overflow::DropNewest,
    };
    config.policies.hold_full_batches = policies.hold;
    config.policies.send_at_records = bound(policies.send_at_records);
    config.policies.delivery_interval_ms = policies.interval_ms.into();
    config.policies.queue_records_max = bound(policies.queue_records);
    config.policies.broker_queue_bytes_max = bound(policies.broker_bytes);
}

fn apply(harness: &mut Harness, call: &Call) {
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
            if let Ok(id) = harness.producer.send(to, &record, now) {
                harness.accepted(id);
            }
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
        Call::Purge { topic, partition, queued_only } => {
            let mut scope = Scope::ALL;
            scope.topic = topic.then_some(harness.topic);
            scope.partition = partition.map(|index| (index % 3).into());
            scope.in_flight = !queued_only;
            harness.producer.purge(scope, now);
        }
        Call::Pause { paused } => harness.producer.pause(paused, now),
        Call::SendBatch { partition, records, length, close } => {
            let mut batch = BatchBuilder::new([0; 2000]);
            let value = vec![b'b'; length.into()];
            for _ in 0..records {
                let _ = batch.append(&Record::value(&value));
            }
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
        Call::Clock { millis } => {
            harness.producer.set_clock(Timestamp::from_millis(millis), now);
        }
        Call::Wait { millis } => {
            harness.now = now.plus_millis(millis.into());
            harness.producer.handle_timeout(harness.now);
        }
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
            harness.answer(conn, error % 128, offset.into());
        }
        Call::Refuse { conn: number, bytes } => {
            let conn = conn(number, harness);
            let _ = harness.receive(conn, &bytes, &[3]);
        }
        Call::Disconnected { conn: number } => {
            let conn = conn(number, harness);
            harness.disconnect(conn);
        }
        Call::Report => drop(harness.take_report()),
    }
}
