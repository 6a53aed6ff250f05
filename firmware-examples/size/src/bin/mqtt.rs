//! The yardstick: the same firmware with an MQTT client, `minimq`, which publishes with quality of service 1 and waits
//! for the acknowledgement. Never run, only measured.
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::future::Future;
use core::hint::black_box;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embassy_time_driver::Driver;
use embedded_io_async::{ErrorType, Read, Write};
use minimq::{Buffers, ConfigBuilder, ConnectEvent, Publication, QoS, Session};
use panic_halt as _;
use static_cell::ConstStaticCell;

static RX: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
static TX: ConstStaticCell<[u8; 512]> = ConstStaticCell::new([0; 512]);

/// The network, as far as the compiler knows.
struct Wire;

impl ErrorType for Wire {
    type Error = Infallible;
}

impl Read for Wire {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(black_box(buffer).len().min(black_box(1)))
    }
}

impl Write for Wire {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        black_box(bytes);
        Ok(black_box(bytes.len()))
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Time, as far as the compiler knows.
struct Clock;

impl Driver for Clock {
    fn now(&self) -> u64 {
        black_box(0)
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        black_box((at, waker));
    }
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock);

#[cortex_m_rt::entry]
fn main() -> ! {
    klamm_size::firmware();
    let (Some(rx), Some(tx)) = (RX.try_take(), TX.try_take()) else { stop() };
    let builder = ConfigBuilder::new(Buffers::new(rx, tx)).client_id(black_box("size"));
    let Ok(builder) = builder else { stop() };
    let mut session = Session::new(builder);
    let mut publishing = pin!(publish(black_box(&mut session)));
    loop {
        if let Poll::Ready(()) = publishing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            stop();
        }
    }
}

/// Connects, publishes, waits for the acknowledgement; connects again when that fails.
async fn publish(session: &mut Session<'_>) {
    loop {
        let Ok(mut connection) = session.connect(Wire).await else { continue };
        black_box(connection.connect_event() == ConnectEvent::Connected);
        loop {
            let reading = Publication::bytes(black_box("readings"), black_box(b"21.5"));
            let Ok(sent) = connection.publish(reading.qos(QoS::AtLeastOnce)).await else { break };
            let Some(sent) = sent else { continue };
            while connection.is_pending(&sent) {
                if connection.poll().await.is_err() {
                    break;
                }
            }
        }
    }
}

fn stop() -> ! {
    loop {
        black_box(0);
    }
}
