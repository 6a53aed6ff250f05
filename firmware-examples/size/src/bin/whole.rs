//! The image with all of klamm: every command that an application has, and a driver loop over a transport that is two
//! registers. Never run, only measured.
//!
//! Memory: `Resources<1400, 4, 2, 1>` in `.bss`, the producer itself on the stack. Everything that is compared or copied
//! comes through `black_box`, so that the compiler knows nothing of it and keeps every path.
#![no_std]
#![no_main]

use core::hint::black_box;

use klamm::{
    Acks, Config, Demand, Destination, Header, Instant, Outcome, Producer, Record, Resources,
    Scope, Timestamp,
};
use panic_halt as _;
use static_cell::ConstStaticCell;

static RESOURCES: ConstStaticCell<Resources<1400, 4, 2, 1>> =
    ConstStaticCell::new(Resources::new());

/// The network, as far as the compiler knows.
struct Wire {
    buffer: [u8; 64],
}

impl Wire {
    fn read(&mut self) -> &[u8] {
        let length = black_box(0_usize).min(self.buffer.len());
        &black_box(&mut self.buffer)[..length]
    }

    /// How many bytes the wire took, or that it broke.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ()> {
        black_box(bytes);
        if black_box(false) { Err(()) } else { Ok(black_box(bytes.len())) }
    }

    fn is_open(&self) -> bool {
        black_box(true)
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    klamm_size::firmware();
    let Some(resources) = RESOURCES.try_take() else { stop() };
    let mut config = Config::new(black_box("192.168.1.10:9092"));
    config.client_id = black_box("size");
    config.acks = black_box(Acks::All);
    config.linger_ms = black_box(20);
    let storage = resources.storage();
    let Ok(mut producer) = Producer::new(&config, storage, black_box(1), now()) else { stop() };
    // An adapter has it behind a pointer, not in its own stack frame.
    let producer = black_box(&mut producer);
    let mut wire = Wire { buffer: [0; 64] };
    loop {
        application(producer);
        drive(producer, &mut wire);
        reports(producer);
    }
}

/// Every command that an application has.
fn application(producer: &mut Producer<'_>) {
    producer.set_clock(Timestamp::from_millis(black_box(0)), now());
    let Ok(topic) = producer.topic(black_box("readings")) else { return };
    let to = match black_box(None) {
        Some(partition) => Destination::partition(topic, partition),
        None => Destination::topic(topic),
    };
    let headers = [Header::new(black_box("unit"), black_box(b"celsius"))];
    let record = Record::value(black_box(b"21.5")).with_key(black_box(b"7")).with_headers(&headers);
    let _ = black_box(producer.send(to, &record, now()));
    let _ = black_box(producer.send_with(to, &record, black_box(8), now(), |out| {
        out.fill(black_box(1));
        out.len()
    }));
    let ticket = producer.flush(now());
    black_box(producer.is_flushed(ticket));
    black_box((producer.topic_name(topic), producer.topic_error(topic), producer.stats()));
    black_box((producer.partition_count(topic), producer.leader(topic, black_box(0))));
    if black_box(false) {
        producer.purge(Scope::ALL, now());
        producer.close(now());
    }
}

/// The adapter: moves bytes and time.
fn drive(producer: &mut Producer<'_>, wire: &mut Wire) {
    producer.handle_timeout(now());
    for conn in producer.connections() {
        match producer.demand(conn) {
            Demand::Connect => {
                black_box(producer.address(conn));
                producer.handle_dialing(conn, now());
                if wire.is_open() {
                    producer.handle_connected(conn, now());
                }
            }
            Demand::Transmit => {
                let written = producer.transmit_with(conn, now(), |transmit| {
                    let mut total = 0;
                    for slice in transmit.slices() {
                        total += wire.write(slice)?;
                    }
                    let mut frame = [0; 64];
                    black_box(transmit.copy_to(&mut frame));
                    Ok::<usize, ()>(total.min(transmit.len()))
                });
                if written.is_err() {
                    producer.handle_disconnected(conn, now());
                }
            }
            Demand::Close => producer.handle_disconnected(conn, now()),
            _ => {}
        }
        if let Err(error) = producer.handle_received(conn, wire.read(), now()) {
            black_box(error);
        }
    }
    black_box((producer.next_deadline(), producer.take_wake()));
}

/// What became of the records.
fn reports(producer: &mut Producer<'_>) {
    if let Some(report) = producer.peek_report() {
        black_box(report.records);
        if let Some(records) = producer.report_records() {
            for record in records {
                black_box(record);
            }
        }
    }
    while let Some(report) = producer.poll_report() {
        match report.outcome {
            Outcome::Delivered { base_offset, .. } => drop(black_box(base_offset)),
            Outcome::NotPersisted(reason) | Outcome::Unknown(reason) => drop(black_box(reason)),
            _ => {}
        }
    }
}

fn now() -> Instant {
    Instant::from_micros(black_box(0))
}

fn stop() -> ! {
    loop {
        black_box(0);
    }
}
