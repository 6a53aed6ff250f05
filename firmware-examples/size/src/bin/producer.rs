//! The image with klamm as firmware uses it: the calls that an adapter for a microcontroller makes, over a transport
//! that is two registers. Never run, only measured.
//!
//! Memory: `Resources<1400, 4, 2, 1>` in `.bss`, the producer itself on the stack. Everything that is compared or copied
//! comes through `black_box`, so that the compiler knows nothing of it and keeps every path.
#![no_std]
#![no_main]

use core::hint::black_box;

use klamm::{
    Config, Demand, Destination, Instant, Outcome, Producer, Record, Resources, Timestamp,
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
}

#[cortex_m_rt::entry]
fn main() -> ! {
    klamm_size::firmware();
    let Some(resources) = RESOURCES.try_take() else { stop() };
    let mut config = Config::new(black_box("192.168.1.10:9092"));
    config.client_id = black_box("size");
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

/// The application: a record with a key, and then all that was accepted is waited for.
fn application(producer: &mut Producer<'_>) {
    producer.set_clock(Timestamp::from_millis(black_box(0)), now());
    let Ok(topic) = producer.topic(black_box("readings")) else { return };
    let record = Record::value(black_box(b"21.5")).with_key(black_box(b"7"));
    let _ = black_box(producer.send(Destination::topic(topic), &record, now()));
    let ticket = producer.flush(now());
    black_box(producer.is_flushed(ticket));
    black_box(producer.stats());
}

/// The adapter: moves bytes and time.
fn drive(producer: &mut Producer<'_>, wire: &mut Wire) {
    producer.handle_timeout(now());
    for conn in producer.connections() {
        match producer.demand(conn) {
            Demand::Connect => {
                black_box(producer.address_bytes(conn));
                producer.handle_dialing(conn, now());
                producer.handle_connected(conn, now());
            }
            Demand::Transmit => {
                let written = producer.transmit_with(conn, now(), |transmit| {
                    transmit.slices().next().map_or(Ok(0), |slice| wire.write(slice))
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
