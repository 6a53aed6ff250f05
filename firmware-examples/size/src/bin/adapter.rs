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
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time_driver::Driver;
#[cfg(feature = "codec")]
use klamm_embassy::{CodecMemory, Compression};
use klamm_embassy::{
    Config, Destination, Dial, Link, Lost, Network, Producer, Record, Resources, Timestamp,
};
use panic_halt as _;
use static_cell::ConstStaticCell;

static RESOURCES: ConstStaticCell<Resources<'static, 1400, 4, 2, 1, 64, 64, 2>> =
    ConstStaticCell::new(Resources::new());

#[cfg(feature = "codec")]
static CODEC_MEMORY: ConstStaticCell<CodecMemory<1024>> = ConstStaticCell::new(CodecMemory::new());
#[cfg(feature = "gzip-tight")]
const CODEC: Compression = Compression::Gzip { level: 1 };
#[cfg(feature = "lz4")]
const CODEC: Compression = Compression::Lz4 { level: 1 };
#[cfg(feature = "snappy")]
const CODEC: Compression = Compression::Snappy;

/// The network, as far as the compiler knows; what `EmbassyNet` does around a socket of embassy-net.
struct Wire;

impl Wire {
    async fn session<M: RawMutex>(&self, link: &Link<'_, '_, M>, to: &Dial) -> Lost {
        // Names and addresses are looked up by the stack.
        black_box((to.host.as_str(), to.port));
        link.connected();
        let reading = async {
            loop {
                let bytes = black_box([0; 4]);
                Register.await;
                if let Err(lost) = link.received(&bytes) {
                    return lost;
                }
            }
        };
        let writing = async {
            let mut room = [0; 64];
            loop {
                link.wants_transmit().await;
                black_box(link.transmit(&mut room));
                Register.await;
            }
        };
        match select(reading, writing).await {
            Either::First(lost) | Either::Second(lost) => lost,
        }
    }
}

impl Network for Wire {
    async fn serve<M: RawMutex>(
        &self,
        link: &Link<'_, '_, M>,
        _: &mut [u8],
        _: &mut [u8],
    ) -> Infallible {
        loop {
            let to = link.dial().await;
            match select(self.session(link, &to), link.closing()).await {
                Either::First(lost) | Either::Second(lost) => link.lost(lost),
            }
        }
    }
}

/// Whatever a socket waits for.
struct Register;

impl Future for Register {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        black_box(context);
        if black_box(false) { Poll::Ready(()) } else { Poll::Pending }
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
    let Some(resources) = RESOURCES.try_take() else { stop() };
    let mut config = Config::new(black_box("192.168.1.10:9092"));
    config.client_id = black_box("size");
    config.linger_ms = black_box(20);
    #[cfg(not(feature = "codec"))]
    let started = klamm_embassy::new(resources, Wire, &config, black_box(1));
    #[cfg(feature = "codec")]
    let started = {
        config.compression_type = CODEC;
        let Some(memory) = CODEC_MEMORY.try_take() else { stop() };
        klamm_embassy::new_with(resources, Wire, &config, black_box(1), |storage| {
            storage.with_codec_memory(memory)
        })
    };
    let Ok((producer, mut runner)) = started else { stop() };
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
