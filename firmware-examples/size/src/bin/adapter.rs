//! The image with klamm and its embassy adapter: a task that produces, and the runner, over a network that is two
//! registers. Never run, only measured.
//!
//! Everything that is compared or copied comes through `black_box`, so that the compiler knows nothing of it and keeps
//! every path.
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::future::Future;
use core::hint::black_box;
use core::net::{IpAddr, SocketAddr};
use core::pin::pin;
use core::task::{Context, Waker};

use embassy_time_driver::Driver;
use embedded_io_async::{ErrorType, Read, Write};
use embedded_nal_async::{AddrType, Dns, TcpConnect};
use klamm_embassy::{Config, Destination, Nal, Producer, Record, Resources, Timestamp};
use panic_halt as _;
use static_cell::ConstStaticCell;

static RESOURCES: ConstStaticCell<Resources<'static, 1400, 4, 2, 1, 64, 64>> =
    ConstStaticCell::new(Resources::new());

/// The network, as far as the compiler knows.
struct Wire;

impl TcpConnect for Wire {
    type Error = Infallible;
    type Connection<'a> = Socket;

    async fn connect(&self, remote: SocketAddr) -> Result<Socket, Infallible> {
        black_box(remote);
        Ok(Socket)
    }
}

impl Dns for Wire {
    type Error = Infallible;

    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> Result<IpAddr, Infallible> {
        black_box((host, matches!(kind, AddrType::IPv4)));
        Ok(black_box(IpAddr::from([10, 0, 0, 2])))
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, Infallible> {
        Ok(0)
    }
}

struct Socket;

impl ErrorType for Socket {
    type Error = Infallible;
}

impl Read for Socket {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(black_box(buffer).len().min(black_box(1)))
    }
}

impl Write for Socket {
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
    let Some(resources) = RESOURCES.try_take() else { stop() };
    let mut config = Config::new(black_box("192.168.1.10:9092"));
    config.client_id = black_box("size");
    config.linger_ms = black_box(20);
    let network = Nal::new(&Wire, &Wire);
    let Ok((producer, mut runner)) =
        klamm_embassy::new(resources, network, &config, black_box(1))
    else {
        stop()
    };
    let mut application = pin!(application(producer));
    let mut running = pin!(runner.run());
    let mut context = Context::from_waker(Waker::noop());
    loop {
        let _ = application.as_mut().poll(&mut context);
        let _ = running.as_mut().poll(&mut context);
    }
}

/// The application: a record with a key that is waited for, and one that is not.
async fn application(producer: Producer<'static>) {
    producer.set_clock(Timestamp::from_millis(black_box(0)));
    loop {
        let Ok(topic) = producer.topic(black_box("readings")) else { continue };
        let to = Destination::topic(topic);
        let record = Record::value(black_box(b"21.5")).with_key(black_box(b"7"));
        black_box(producer.send(to, &record).await.is_ok());
        black_box(producer.send_and_wait(to, &record).await.is_ok());
        producer.flush().await;
        black_box(producer.stats());
    }
}

fn stop() -> ! {
    loop {
        black_box(0);
    }
}
