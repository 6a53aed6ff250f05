//! Any order of calls: no panic, and after each one every accepted record is in exactly one place.
#![no_main]

use arbitrary::Arbitrary;
use klamm::{Config, ConnId, Demand, Destination, Header, Idempotence, Record, Timestamp};
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
}

#[derive(Arbitrary, Debug)]
enum Call {
    Send { partition: Option<u8>, key: Option<u8>, length: u16, header: bool },
    SendWith { most: u8, used: u8 },
    Topic { name: u8 },
    Flush,
    Close,
    Purge,
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
        Call::Purge => harness.producer.purge(klamm::Scope::ALL, now),
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
